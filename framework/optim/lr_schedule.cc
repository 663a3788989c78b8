#include "optim/lr_schedule.h"

#include <algorithm>

#include "base/error.h"
#include "base/fast_math.h"
#include "base/float_environment.h"

namespace octet {
namespace {

// From `start` at t = 0 along a half cosine to `end` at t = 1.
double anneal(double start, double end, double t) {
  return end + (start - end) * 0.5 * (1.0 + cos_pi(t));
}

// PyTorch's OneCycleLR: the peak lies at step 0.3 S - 1, the end at step S - 1.
double one_cycle(double lr, double s, double steps) {
  const double first = lr / 25.0, last = first / 1e4;
  const double peak = std::max(0.3 * steps - 1.0, 0.0), end = steps - 1.0;
  if (s < peak) return anneal(first, lr, s / peak);
  return end > peak ? anneal(lr, last, (s - peak) / (end - peak)) : lr;
}

}  // namespace

LrSchedule::LrSchedule(LrScheduleOptions options) : options_(options) {
  const auto check = [](bool ok, const std::string& what) {
    if (!ok) throw UsageError("the learning rate's schedule needs " + what);
  };
  check(options.lr > 0.0f, message("lr > 0, got ", options.lr));
  check(options.total_steps >= 1, message("total_steps >= 1, got ", options.total_steps));
  check(options.warmup_steps >= 0 && options.warmup_steps <= options.total_steps,
        message("0 <= warmup_steps <= total_steps = ", options.total_steps, ", got ",
                options.warmup_steps));
}

float LrSchedule::lr_at(std::int64_t step) const {
  const FloatEnvironment environment;
  const double lr = static_cast<double>(options_.lr);
  step = std::clamp<std::int64_t>(step, 0, options_.total_steps - 1);
  if (step < options_.warmup_steps) {
    return static_cast<float>(lr * static_cast<double>(step + 1) /
                              static_cast<double>(options_.warmup_steps));
  }
  const double s = static_cast<double>(step - options_.warmup_steps);
  const double steps = static_cast<double>(options_.total_steps - options_.warmup_steps);
  switch (options_.kind) {
    case LrScheduleKind::kConstant:
      return options_.lr;
    case LrScheduleKind::kCosine:
      return static_cast<float>(anneal(lr, 0.0, s / steps));
    case LrScheduleKind::kOneCycle:
      return static_cast<float>(one_cycle(lr, s, steps));
  }
  return options_.lr;
}

}  // namespace octet
