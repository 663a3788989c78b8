#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

// Whether files must be the published ones, by SHA-256. kSkip is for the small fixtures of tests
// alone: nothing else may read data that nobody vouches for.
enum class Checksums { kVerify, kSkip };

// A file of a dataset in memory. `remedy` says what to do when it is not right and ends every
// message about it.
struct DatasetFile {
  std::string path;
  std::vector<std::byte> bytes;
  std::string remedy;
};

// The command that brings the dataset into `root`: "fetch it with: datasets/fetch.sh mnist".
std::string fetch_remedy(std::string_view dataset, const std::string& root);

// Reads a file of at most 64 MiB; a path that ends in .gz is unpacked (to at most 64 MiB).
// Throws Error with path, reason and remedy.
DatasetFile read_dataset_file(const std::string& path, const std::string& remedy);

// The same of a file in memory; `path` is only its name.
DatasetFile parse_dataset_file(const std::string& path, std::vector<std::byte> bytes,
                               const std::string& remedy);

// Throws Error unless the SHA-256 of the (unpacked) bytes is `expected`, 64 lower-case hex digits.
void verify_sha256(const DatasetFile& file, std::string_view expected);

}  // namespace octet
