#pragma once

#include <cstddef>
#include <cstdint>

namespace octet {

// When a thread began and ended a step, or a part of it, in nanoseconds of
// std::chrono::steady_clock.
struct StepTime {
  std::size_t step = 0;  // index into the executor's steps
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
};

}  // namespace octet
