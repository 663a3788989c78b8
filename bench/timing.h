#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace octet {

// Times of one piece of work, run again and again.
struct Timing {
  double best_ms = 0.0;
  double median_ms = 0.0;
  double p90_ms = 0.0;
  std::int64_t repetitions = 0;
};

// How long to measure: until both are reached.
struct TimingOptions {
  std::int64_t repetitions = 5;
  double seconds = 0.2;
};

// Runs `work` again and again; the caller has warmed it up. A short repetition that a neighbour on
// the machine disturbed shows in p90, not in best, and hardly in the median.
Timing measure(const std::function<void()>& work, const TimingOptions& options);

// Of single times in milliseconds; at least one. Quantiles by nearest rank.
Timing timing_of(std::vector<double> milliseconds);

}  // namespace octet
