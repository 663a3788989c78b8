#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/peak_loops.h"

namespace octet {

// A rate over several short repetitions. The best is the machine undisturbed.
struct Rate {
  double best = 0.0;
  double median = 0.0;
};

struct Peak {
  const PeakLoop* loop = nullptr;
  Rate one_thread, all_threads;  // GMAC/s
};

struct MemoryRate {
  std::string level;             // "L2", "L3", "DRAM": where the memory that is read fits
  std::size_t bytes = 0;         // of all threads together
  Rate one_thread, all_threads;  // GB/s (1e9 bytes)
};

// What this machine can do at most.
struct PeakReport {
  std::string cpu;
  int threads = 1;
  double clock_ghz = 0.0;  // of one core at work; 0 where it cannot be measured
  std::vector<Peak> peaks;
  std::vector<MemoryRate> memory;
};

// Takes a few seconds. All of num_threads() threads in all_threads.
PeakReport measure_peaks();

// GMAC/s of one loop on `threads` threads, 1 or num_threads(), in about `seconds`.
Rate measure_peak(const PeakLoop& loop, int threads, double seconds);

// What kernels of `precision` ("fp32", "bf16", "int8") under the cap `isa` are compared with; null
// if there is no loop for it, as with scalar kernels.
const PeakLoop* peak_loop_for(const std::string& precision, Isa isa);

nlohmann::ordered_json to_json(const PeakReport& report);
std::string to_table(const PeakReport& report);

// A peak measured in turns with something else, on a machine whose clock may move meanwhile.
class PeakWatch {
 public:
  PeakWatch(const std::string& precision, Isa isa);  // measures a first time
  void measure_again();
  double gmac_per_s() const { return best_; }  // the best so far; 0 if there is no such peak
  // Share of the peak, 0 if there is none.
  double share_of(double gmac_per_s) const { return best_ > 0.0 ? gmac_per_s / best_ : 0.0; }

 private:
  const PeakLoop* loop_;
  double best_ = 0.0;
};

}  // namespace octet
