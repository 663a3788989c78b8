#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "file/file_system.h"
#include "file/read_file.h"

namespace octet {

// An open folder. Its files are read and written by its descriptor: they are those of the folder
// that was opened, even where another one has got its name since. `name` is a file name without
// folders. Movable; used by one thread at a time.
class Folder {
 public:
  // Throws Error if it cannot be opened. An empty path is the working folder. `file_system` must
  // outlive the object.
  explicit Folder(std::string path, FileSystem& file_system = posix_file_system());
  // A folder in an open one; a symbolic link is none.
  Folder(const Folder& parent, const std::string& name);
  Folder(Folder&& other) noexcept
      : path_(std::move(other.path_)), fs_(other.fs_), fd_(std::exchange(other.fd_, -1)) {}
  Folder& operator=(Folder&&) = delete;
  ~Folder();

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }
  FileSystem& file_system() const { return *fs_; }
  std::string path_of(const std::string& name) const;  // for messages

  // Whether its path still leads to this folder.
  bool in_place() const;
  // After it was renamed: the path that leads to it now.
  void set_path(std::string path) { path_ = std::move(path); }

  bool has(const std::string& name) const;
  std::vector<std::string> names() const;
  // Throw Error as read_file does.
  std::vector<std::byte> read(const std::string& name) const;
  std::string read_text(const std::string& name, std::uint64_t max_bytes = kMaxFileBytes) const;

  // Writes a file as atomic_write does. `keep_previous_as`: the name that an existing file moves to
  // (for an instant only the previous file exists, under that name); empty: it is replaced.
  void write(const std::string& name, std::span<const std::byte> bytes,
             const std::string& keep_previous_as = {}) const;
  void write(const std::string& name, std::string_view text) const;

  // Makes the names in it durable. Throws Error.
  void sync() const;

  // Removes the temporaries that killed processes have left. The caller must be the only writer.
  void remove_stale_temporaries() const;

 private:
  std::string path_;
  FileSystem* fs_;
  int fd_ = -1;
};

// Makes a folder and those above it that are not there, each durable in the one above. Throws
// Error.
void create_folders(const std::string& path, FileSystem& file_system = posix_file_system());

}  // namespace octet
