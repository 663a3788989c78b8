#pragma once

#include <functional>
#include <string>

#include "base/shape.h"
#include "eval/profile.h"

namespace octet {

// For profiles of either engine.

// Fills runs, run_ms, median_run and the milliseconds of `profile.steps`, which are described
// already. The two functions run the same batch, with the clock read around every step and without.
void measure_runs(Profile& profile, double seconds,
                  const std::function<void(StepTimes&)>& run_profiled,
                  const std::function<void()>& run_ordinary);

// "28x28x6"
std::string extents(const Shape& shape);

}  // namespace octet
