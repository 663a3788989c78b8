#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace octet {

// The system calls that saving files makes, one virtual function each, so that a test can fail,
// kill the process or cut the power at every one of them. Names are relative to the descriptor of
// an open folder (AT_FDCWD: to the working folder), as in openat(2). All behave like POSIX: -1 (or
// a short count) and errno. None follows a symbolic link that has the name, but open_folder does
// where it is given a path, with AT_FDCWD.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual int open_folder(int parent, const std::string& name);
  virtual int make_folder(int parent, const std::string& name);  // fails if the name is taken
  virtual int create(int folder, const std::string& name);       // the same, a file for writing
  virtual int append_to(int folder, const std::string& name);    // a file that is there
  virtual int reserve(int fd, std::uint64_t size_bytes);
  virtual std::ptrdiff_t write(int fd, const std::byte* data, std::size_t size_bytes);
  virtual int sync(int fd);  // of a file, or of the names in a folder
  virtual int close(int fd);
  // Within one folder; rename_new fails if `to` is taken, rename replaces it.
  virtual int rename(int folder, const std::string& from, const std::string& to);
  virtual int rename_new(int folder, const std::string& from, const std::string& to);
  virtual int remove(int folder, const std::string& name);
  virtual int remove_folder(int parent, const std::string& name);
};

// The real one.
FileSystem& posix_file_system();

}  // namespace octet
