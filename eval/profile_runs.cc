#include "eval/profile_runs.h"

#include <algorithm>
#include <numeric>

#include "eval/measurement.h"

namespace octet {
namespace {

constexpr std::int64_t kMinRuns = 5, kMaxRuns = 1000, kWarmUp = 3;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The milliseconds of each step in one run. What a thread does after a step until it begins the
// next, or the run ends, is waiting for the others and belongs to the step: so the steps of each
// thread add up to the whole run.
std::vector<double> step_times(const StepTimes& times, std::size_t steps) {
  std::int64_t end = 0;
  double threads = 0.0;
  for (const auto& of_thread : times) {
    if (of_thread.empty()) continue;  // a thread that took no part
    threads += 1.0;
    end = std::max(end, of_thread.back().end_ns);
  }
  std::vector<double> ms(steps);
  for (const auto& of_thread : times) {
    for (std::size_t i = 0; i < of_thread.size(); ++i) {
      const std::int64_t next = i + 1 < of_thread.size() ? of_thread[i + 1].begin_ns : end;
      ms[of_thread[i].step] += 1e-6 * static_cast<double>(next - of_thread[i].begin_ns) / threads;
    }
  }
  return ms;
}

}  // namespace

// "28x28x6"
std::string extents(const Shape& shape) {
  std::string text;
  for (const std::int64_t extent : shape.dims()) {
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  }
  return text;
}

double Profile::steps_ms() const {
  return std::accumulate(steps.begin(), steps.end(), 0.0,
                         [](double sum, const ProfiledStep& step) { return sum + step.ms; });
}

void measure_runs(Profile& profile, double seconds,
                  const std::function<void(StepTimes&)>& run_profiled,
                  const std::function<void()>& run_ordinary) {
  const std::size_t steps = profile.steps.size();
  std::vector<StepTimes> runs;
  std::vector<double> whole, profiled;
  StepTimes times;
  const Clock::time_point start = Clock::now();
  for (std::int64_t i = 0; i < kMaxRuns + kWarmUp; ++i) {
    run_profiled(times);
    const Clock::time_point before = Clock::now();
    run_ordinary();
    const Clock::time_point after = Clock::now();
    if (i < kWarmUp) continue;
    whole.push_back(std::chrono::duration<double, std::milli>(after - before).count());
    const std::vector<double> ms = step_times(times, steps);
    profiled.push_back(std::accumulate(ms.begin(), ms.end(), 0.0));
    runs.push_back(times);
    const bool enough = std::chrono::duration<double>(after - start).count() >= seconds;
    if (enough && i >= kMinRuns + kWarmUp - 1) break;
  }

  profile.runs = static_cast<std::int64_t>(runs.size());
  profile.run_ms = median(whole);
  for (std::size_t s = 0; s < steps; ++s) {
    std::vector<double> ms;
    for (const StepTimes& run : runs) ms.push_back(step_times(run, steps)[s]);
    profile.steps[s].ms = median(std::move(ms));
  }
  const auto middle = std::find(profiled.begin(), profiled.end(), median(profiled));
  profile.median_run = runs[static_cast<std::size_t>(middle - profiled.begin())];
}

}  // namespace octet
