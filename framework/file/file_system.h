#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace octet {

// The system calls that saving a file makes, one virtual function each, so that a test can fail or
// kill the process at every one of them. All behave like POSIX: -1 (or a short count) and errno.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual int create(const std::string& path);  // a new file for writing; fails if there is one
  virtual int reserve(int fd, std::uint64_t size_bytes);
  virtual std::ptrdiff_t write(int fd, const std::byte* data, std::size_t size_bytes);
  virtual int sync(int fd);
  virtual int close(int fd);
  virtual int rename(const std::string& from, const std::string& to);
  virtual int remove(const std::string& path);
  virtual int sync_folder(const std::string& path);
};

// The real one.
FileSystem& posix_file_system();

}  // namespace octet
