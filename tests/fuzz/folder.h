#pragma once

#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "tests/file/temp_folder.h"

namespace octet::fuzz {

// A folder for the files of one input: as it was created, empty. One a process, since libFuzzer
// ends its process where no destructor runs; it lies in $TMPDIR.
inline std::filesystem::path empty_folder() {
  static const TempFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    std::filesystem::remove_all(entry.path());
  }
  return folder.path();
}

inline void write_bytes(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  write_bytes(path, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace octet::fuzz
