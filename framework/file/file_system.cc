#include "file/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace octet {

int FileSystem::open_folder(int parent, const std::string& name) {
  const int follow = parent == AT_FDCWD ? 0 : O_NOFOLLOW;
  return ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | follow);
}

int FileSystem::make_folder(int parent, const std::string& name) {
  return ::mkdirat(parent, name.c_str(), 0777);
}

int FileSystem::create(int folder, const std::string& name) {
  return ::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

int FileSystem::append_to(int folder, const std::string& name) {
  return ::openat(folder, name.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int FileSystem::reserve(int fd, std::uint64_t size_bytes) {
  if (size_bytes == 0) return 0;
  const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(size_bytes));
  // Where the file system cannot reserve, a full disk shows at write or fsync instead.
  if (error == 0 || error == EOPNOTSUPP || error == EINVAL || error == ENOSYS) return 0;
  errno = error;
  return -1;
}

std::ptrdiff_t FileSystem::write(int fd, const std::byte* data, std::size_t size_bytes) {
  return ::write(fd, data, size_bytes);
}

int FileSystem::sync(int fd) { return ::fsync(fd); }

int FileSystem::close(int fd) { return ::close(fd); }

int FileSystem::rename(int folder, const std::string& from, const std::string& to) {
  return ::renameat(folder, from.c_str(), folder, to.c_str());
}

int FileSystem::rename_new(int folder, const std::string& from, const std::string& to) {
  return ::renameat2(folder, from.c_str(), folder, to.c_str(), RENAME_NOREPLACE);
}

int FileSystem::remove(int folder, const std::string& name) {
  return ::unlinkat(folder, name.c_str(), 0);
}

int FileSystem::remove_folder(int parent, const std::string& name) {
  return ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

FileSystem& posix_file_system() {
  static FileSystem file_system;
  return file_system;
}

}  // namespace octet
