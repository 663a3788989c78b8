#pragma once

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "file/file_system.h"

namespace octet {

// The real file system, whose call number `at` (from 0) fails with `error`, or at which the process
// kills itself: just before the call, or just after it. A fault in `write` first writes half of it.
// Calls are counted, so that a test can walk through all of them.
class FaultyFileSystem final : public FileSystem {
 public:
  enum class Fault { kFail, kKillBefore, kKillAfter };

  FaultyFileSystem(int at, Fault fault, int error = ENOSPC)
      : at_(at), fault_(fault), error_(error) {}

  int calls() const { return count_; }

  int open_folder(int parent, const std::string& name) override {
    return step([&] { return FileSystem::open_folder(parent, name); });
  }
  int create(int folder, const std::string& name) override {
    return step([&] { return FileSystem::create(folder, name); });
  }
  int reserve(int fd, std::uint64_t size) override {
    return step([&] { return FileSystem::reserve(fd, size); });
  }
  std::ptrdiff_t write(int fd, const std::byte* data, std::size_t size) override {
    if (count_ == at_) FileSystem::write(fd, data, size / 2);
    return step([&] { return FileSystem::write(fd, data, size); });
  }
  int sync(int fd) override {
    return step([&] { return FileSystem::sync(fd); });
  }
  int close(int fd) override {
    // A close that reports an error has closed the descriptor all the same. Of a folder, which is
    // closed last, it is never made to fail: nothing was written to it.
    struct stat status {};
    if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) return FileSystem::close(fd);
    if (count_ == at_ && fault_ == Fault::kFail) FileSystem::close(fd);
    return step([&] { return FileSystem::close(fd); });
  }
  int rename(int folder, const std::string& from, const std::string& to) override {
    return step([&] { return FileSystem::rename(folder, from, to); });
  }
  // Cleaning up (remove) is never made to fail.

 private:
  template <class Call>
  auto step(const Call& call) -> decltype(call()) {
    const bool now = count_++ == at_;
    if (now && fault_ == Fault::kFail) {
      errno = error_;
      return -1;
    }
    if (now && fault_ == Fault::kKillBefore) ::kill(::getpid(), SIGKILL);
    const auto result = call();
    if (now && fault_ == Fault::kKillAfter) ::kill(::getpid(), SIGKILL);
    return result;
  }

  int at_, count_ = 0;
  Fault fault_;
  int error_;
};

}  // namespace octet
