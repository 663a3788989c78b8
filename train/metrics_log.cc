#include "train/metrics_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "base/error.h"
#include "file/printable.h"

namespace octet {
namespace {

// A line has some 200 bytes, and there is one an epoch.
constexpr std::uint64_t kMaxMetricsBytes = std::uint64_t{256} << 20;

}  // namespace

MetricsLog::MetricsLog(const RunLock& lock, std::uint64_t keep_bytes)
    : folder_(lock.files()), path_(folder_.path_of(kMetricsFile)) {
  lock.write(kMetricsFile, keep(keep_bytes));
  fd_ = folder_.file_system().append_to(folder_.fd(), kMetricsFile);
  OCTET_CHECK(fd_ >= 0, "cannot open \"", printable(path_), "\": ", std::strerror(errno));
}

MetricsLog::~MetricsLog() { folder_.file_system().close(fd_); }

// The lines to keep: all that are whole, within the first keep_bytes.
std::string MetricsLog::keep(std::uint64_t keep_bytes) {
  struct stat status {};
  const bool there = ::fstatat(folder_.fd(), kMetricsFile, &status, AT_SYMLINK_NOFOLLOW) == 0;
  OCTET_CHECK(!there || S_ISREG(status.st_mode), "\"", printable(path_), "\" is ",
              S_ISLNK(status.st_mode) ? "a symbolic link" : "not a regular file",
              "; a run writes to files of its own folder alone: remove it");
  std::string text =
      there && keep_bytes > 0 ? folder_.read_text(kMetricsFile, kMaxMetricsBytes) : "";
  const std::uint64_t found = text.size();
  if (found > keep_bytes) text.resize(keep_bytes);
  text.resize(text.rfind('\n') + 1);  // npos + 1 is 0
  size_bytes_ = text.size();
  if (size_bytes_ < keep_bytes) {
    warning_ =
        message("\"", printable(path_), "\" ",
                there ? message("has ", size_bytes_) : std::string("is missing: 0"), " of the ",
                keep_bytes, " bytes of whole lines that it had at the checkpoint;",
                " what is lost stays lost, the log goes on behind what is left");
  }
  return text;
}

void MetricsLog::write(const nlohmann::ordered_json& record) {
  const std::string line = record.dump() + "\n";
  auto bytes = std::as_bytes(std::span(line.data(), line.size()));
  synced_ = false;
  while (!bytes.empty()) {
    const auto n = folder_.file_system().write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    OCTET_CHECK(n >= 0, "cannot write \"", printable(path_), "\": ", std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  size_bytes_ += line.size();
}

void MetricsLog::sync() {
  if (synced_) return;
  OCTET_CHECK(folder_.file_system().sync(fd_) == 0, "cannot write \"", printable(path_),
              "\": ", std::strerror(errno), " (while fsync)");
  synced_ = true;
}

}  // namespace octet
