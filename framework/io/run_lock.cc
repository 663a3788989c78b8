#include "io/run_lock.h"

#include <sys/file.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "file/printable.h"

namespace octet {
RunLock::RunLock(std::string path, FileSystem& file_system)
    : RunLock(Folder(std::move(path), file_system)) {}

RunLock::RunLock(Folder folder) : folder_(std::move(folder)) {
  if (::flock(folder_.fd(), LOCK_EX | LOCK_NB) != 0) {
    const std::string why = errno == EWOULDBLOCK ? "another process is writing there"
                                                 : std::generic_category().message(errno);
    throw Error(message("cannot lock the run folder \"", printable(folder_.path()), "\": ", why));
  }
  folder_.remove_stale_temporaries();
}

void RunLock::write(const std::string& name, std::span<const std::byte> bytes,
                    const std::string& keep_previous_as) const {
  folder_.write(name, bytes, keep_previous_as);
  check_in_place();
}

void RunLock::write(const std::string& name, std::string_view text) const {
  write(name, std::as_bytes(std::span(text.data(), text.size())));
}

void RunLock::check_in_place() const {
  OCTET_CHECK(folder_.in_place(), "the run folder \"", printable(folder_.path()),
              "\" was moved, replaced or removed while the run was writing there. What was saved ",
              "lies in the folder where it is now; continue from there with --resume");
}

}  // namespace octet
