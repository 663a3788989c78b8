#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace octet {

// Time of one image at batch 1, in milliseconds.
struct Latency {
  double p50_ms = 0.0;
  double p99_ms = 0.0;
};

// What was measured of one form of a model on one dataset.
struct Measurement {
  std::string form;   // "float", "fake-quant" or "int8"
  std::string model;  // "lenet"
  std::string path;   // the file that was evaluated
  std::int64_t images = 0;
  std::int64_t correct = 0;
  std::vector<std::int32_t> predictions;  // the class of each image
  std::uintmax_t file_bytes = 0;
  double images_per_second = 0.0;
  std::optional<Latency> latency;
  int threads = 1;
  std::int64_t batch = 1;
  std::string isa;
  std::string logits_sha256;  // over little-endian logits [images, classes] in dataset order

  double top1() const {
    return images > 0 ? 100.0 * static_cast<double>(correct) / static_cast<double>(images) : 0.0;
  }
};

// The object that `eval --json` prints and summary.json contains.
nlohmann::ordered_json to_json(const Measurement& m);

// The table at the end of a run, for people: one row per form.
std::string to_table(const std::vector<Measurement>& rows);

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// p50 and p99 of single measurements in milliseconds; at least one.
Latency latency_of(std::vector<double> milliseconds);

}  // namespace octet
