#include "file/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "file/printable.h"

namespace octet {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

template <class Container>
Container read_all(int folder, const std::string& name, const std::string& path,
                   std::uint64_t max_bytes) {
  const auto reason = [] { return std::generic_category().message(errno); };
  // O_NONBLOCK: opening a FIFO that nobody writes to must not hang.
  const Descriptor file{::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  OCTET_CHECK(file.fd >= 0, "cannot open \"", printable(path), "\": ", reason());
  struct stat status {};
  OCTET_CHECK(::fstat(file.fd, &status) == 0, "cannot read \"", printable(path), "\": ", reason());
  OCTET_CHECK(S_ISREG(status.st_mode), "cannot read \"", printable(path),
              "\": ", S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  OCTET_CHECK(size <= max_bytes, "\"", printable(path), "\" has ", size,
              " bytes; more than the allowed ", max_bytes);

  Container content;
  content.resize(size);
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(file.fd, content.data() + done, content.size() - done);
    if (got < 0 && errno == EINTR) continue;
    OCTET_CHECK(got >= 0, "cannot read \"", printable(path), "\": ", reason());
    OCTET_CHECK(got > 0, "cannot read \"", printable(path), "\": it became shorter meanwhile");
    done += static_cast<std::size_t>(got);
  }
  return content;
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes) {
  return read_file_in(AT_FDCWD, path, path, max_bytes);
}

std::string read_text_file(const std::string& path, std::uint64_t max_bytes) {
  return read_text_file_in(AT_FDCWD, path, path, max_bytes);
}

std::vector<std::byte> read_file_in(int folder, const std::string& name, const std::string& path,
                                    std::uint64_t max_bytes) {
  return read_all<std::vector<std::byte>>(folder, name, path, max_bytes);
}

std::string read_text_file_in(int folder, const std::string& name, const std::string& path,
                              std::uint64_t max_bytes) {
  return read_all<std::string>(folder, name, path, max_bytes);
}

}  // namespace octet
