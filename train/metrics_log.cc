#include "train/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace octet {
namespace fs = std::filesystem;

MetricsLog::MetricsLog(const fs::path& run_folder, std::uintmax_t keep_bytes)
    : path_(run_folder / "metrics.jsonl") {
  fd_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  OCTET_CHECK(fd_ >= 0, "cannot open ", path_, ": ", std::strerror(errno));
  if (ftruncate(fd_, static_cast<off_t>(keep_bytes)) != 0 || lseek(fd_, 0, SEEK_END) < 0) {
    const int why = errno;
    close(fd_);
    throw Error(
        message("cannot cut ", path_, " back to ", keep_bytes, " bytes: ", std::strerror(why)));
  }
  size_bytes_ = keep_bytes;
}

MetricsLog::~MetricsLog() { close(fd_); }

void MetricsLog::write(const nlohmann::ordered_json& record) {
  const std::string line = record.dump() + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(fd_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    OCTET_CHECK(n >= 0, "cannot write ", path_, ": ", std::strerror(errno));
    done += static_cast<std::size_t>(n);
  }
  size_bytes_ += line.size();
}

}  // namespace octet
