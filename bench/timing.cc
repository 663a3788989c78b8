#include "bench/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

Timing measure(const std::function<void()>& work, const TimingOptions& options) {
  std::vector<double> times;
  times.reserve(4096);  // no page fault of ours while somebody counts them
  const Clock::time_point begin = Clock::now();
  Clock::time_point start = begin;
  while (static_cast<std::int64_t>(times.size()) < std::max<std::int64_t>(options.repetitions, 1) ||
         std::chrono::duration<double>(start - begin).count() < options.seconds) {
    work();
    const Clock::time_point end = Clock::now();
    times.push_back(std::chrono::duration<double, std::milli>(end - start).count());
    start = end;
  }
  return timing_of(std::move(times));
}

Timing timing_of(std::vector<double> milliseconds) {
  OCTET_CHECK(!milliseconds.empty(), "[timing] nothing was measured");
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto quantile = [&](double q) {
    const double rank = std::ceil(q * static_cast<double>(milliseconds.size()));
    return milliseconds[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
  };
  return {.best_ms = milliseconds.front(),
          .median_ms = quantile(0.5),
          .p90_ms = quantile(0.9),
          .repetitions = static_cast<std::int64_t>(milliseconds.size())};
}

}  // namespace octet
