#pragma once

#include <cstddef>
#include <vector>

#include "base/rng.h"

namespace octet::testing {

// `count` normally distributed numbers, a function of the seed.
inline std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  Rng rng(seed, RngPurpose::kTest);
  std::vector<float> values(count);
  for (float& value : values) value = rng.normal();
  return values;
}

// Largest relative error of a chain of n fused multiply-adds or additions in float32, relative to
// the sum of magnitudes (Higham 2002, sec. 3.1, with u = 2^-24; the factor 1.01 covers the second
// order).
inline double chain_error(double n) { return 1.01 * n / (1 << 24); }

}  // namespace octet::testing
