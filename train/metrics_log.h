#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace octet {

// Appends to metrics.jsonl, one JSON object a line, written through at once. On resume the file is
// cut back to the length that the checkpoint remembers, so that the log does not fork.
class MetricsLog {
 public:
  MetricsLog(const std::filesystem::path& run_folder, std::uintmax_t keep_bytes);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  void write(const nlohmann::ordered_json& record);  // throws Error when the disk is full
  std::uintmax_t size_bytes() const { return size_bytes_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::uintmax_t size_bytes_ = 0;
};

}  // namespace octet
