#include "datasets/dataset_file.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "file/foreign_format.h"
#include "file/read_file.h"
#include "file/sha256.h"
#include "file/shell.h"

namespace octet {
namespace {

// The largest file of a dataset here has 47 MB; an unknown one must not fill the memory.
constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

// A complete gzip member, CRC checked by zlib, and nothing behind it.
std::vector<std::byte> gunzip(const std::vector<std::byte>& packed) {
  z_stream stream{};
  OCTET_CHECK(inflateInit2(&stream, 15 + 16) == Z_OK, "zlib has no memory");  // + 16: gzip
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::vector<std::byte> bytes;
  int status = Z_OK;
  while (status == Z_OK && bytes.size() < kMaxBytes) {
    const std::size_t done = bytes.size(), chunk = std::max<std::size_t>(done, 1 << 20);
    bytes.resize(done + std::min(chunk, kMaxBytes - done));
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + done);
    stream.avail_out = static_cast<uInt>(bytes.size() - done);
    status = inflate(&stream, Z_NO_FLUSH);
    bytes.resize(bytes.size() - stream.avail_out);
  }
  const uInt rest = stream.avail_in;
  inflateEnd(&stream);
  OCTET_CHECK(status == Z_STREAM_END && rest == 0, "is not one whole gzip file of at most ",
              kMaxBytes, " bytes unpacked");
  return bytes;
}

}  // namespace

// not fuzzed: a message
std::string fetch_remedy(std::string_view dataset, const std::string& root) {
  const std::string where = root == "data" ? std::string() : " --root " + shell_quoted(root);
  return message("fetch it with: datasets/fetch.sh ", dataset, where);
}

// not fuzzed: the file system; parse_dataset_file is the reader
DatasetFile read_dataset_file(const std::string& path, const std::string& remedy) {
  std::vector<std::byte> bytes;
  try {
    bytes = read_file(path, kMaxBytes);
  } catch (const Error& e) {
    throw Error(message(e.what(), "; ", remedy));
  }
  return parse_dataset_file(path, std::move(bytes), remedy);
}

DatasetFile parse_dataset_file(const std::string& path, std::vector<std::byte> bytes,
                               const std::string& remedy) {
  DatasetFile file{path, std::move(bytes), remedy};
  if (!path.ends_with(".gz")) return file;
  try {
    file.bytes = gunzip(file.bytes);
  } catch (const Error& e) {
    const std::string format = foreign_format(file.bytes);
    const bool is_gzip = format.find("gzip") != std::string::npos;
    throw Error(
        message(path, " ", e.what(), is_gzip ? "" : foreign_hint(file.bytes), "; ", remedy));
  }
  return file;
}

// not fuzzed: of the published files, which no fuzzer finds
void verify_sha256(const DatasetFile& file, std::string_view expected) {
  const std::string got = sha256_hex(file.bytes);
  OCTET_CHECK(got == expected, file.path, " is not the published file: its SHA-256 is ", got,
              ", expected ", expected, "; ", file.remedy);
}

}  // namespace octet
