#pragma once

#include <cstdint>

namespace octet {

// a / b, rounded up; a >= 0, b > 0.
constexpr std::int64_t div_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The least multiple of `to` that is at least `value`; value >= 0, to > 0.
constexpr std::int64_t round_up(std::int64_t value, std::int64_t to) {
  return div_up(value, to) * to;
}

}  // namespace octet
