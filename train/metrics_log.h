#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "io/run_lock.h"

namespace octet {

inline constexpr char kMetricsFile[] = "metrics.jsonl";

// Appends to metrics.jsonl, one JSON object a line, written through at once. On resume the file is
// cut back to the lines that the checkpoint remembers, so that the log does not fork: those lines
// are written anew, as every file of the run folder is, and what other names the old file has
// (hard links of a backup) keep it. No line is ever invented.
class MetricsLog {
 public:
  // Keeps the first `keep_bytes` bytes. Throws Error if the file is a symbolic link or no file.
  MetricsLog(const RunLock& lock, std::uint64_t keep_bytes);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  // What is missing of the lines to keep, for the user; empty if nothing is.
  const std::string& warning() const { return warning_; }

  void write(const nlohmann::ordered_json& record);  // throws Error when the disk is full
  // Makes all lines durable: before a checkpoint that remembers size_bytes().
  void sync();
  std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  std::string keep(std::uint64_t keep_bytes);

  const Folder& folder_;
  const std::string path_;
  std::string warning_;
  int fd_ = -1;
  std::uint64_t size_bytes_ = 0;
  bool synced_ = true;
};

}  // namespace octet
