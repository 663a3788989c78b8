#include "io/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "file/atomic_write.h"
#include "file/printable.h"

namespace octet {

RunLock::RunLock(std::string folder) : folder_(std::move(folder)) {
  const auto reason = [] { return std::generic_category().message(errno); };
  fd_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  OCTET_CHECK(fd_ >= 0, "cannot open the run folder \"", printable(folder_), "\": ", reason());
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const std::string why = errno == EWOULDBLOCK ? "another process is writing there" : reason();
    ::close(fd_);
    throw Error(message("cannot lock the run folder \"", printable(folder_), "\": ", why));
  }
  remove_stale_temporaries(folder_);
}

RunLock::~RunLock() { ::close(fd_); }

}  // namespace octet
