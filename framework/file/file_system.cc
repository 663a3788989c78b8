#include "file/file_system.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace octet {

int FileSystem::create(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
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

int FileSystem::rename(const std::string& from, const std::string& to) {
  return std::rename(from.c_str(), to.c_str());
}

int FileSystem::remove(const std::string& path) { return ::unlink(path.c_str()); }

int FileSystem::sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  errno = error;
  return result;
}

FileSystem& posix_file_system() {
  static FileSystem file_system;
  return file_system;
}

}  // namespace octet
