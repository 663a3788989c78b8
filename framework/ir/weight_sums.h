#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

namespace octet::ir {

struct WeightSums {
  std::int64_t sum = 0, magnitude = 0;  // of the weights, and of their absolute values
};

// A model's 24 MB are summed whenever it is loaded: in 16 bits, which hold 255 weights of any
// value, so that the compiler's vectors have many lanes.
inline WeightSums weight_sums(std::span<const std::int8_t> weights) {
  constexpr std::size_t kChunk = 255;
  WeightSums all;
  while (!weights.empty()) {
    const auto chunk = weights.first(std::min(kChunk, weights.size()));
    std::int16_t sum = 0, magnitude = 0;
    for (const std::int8_t w : chunk) {
      sum = static_cast<std::int16_t>(sum + w);
      magnitude = static_cast<std::int16_t>(magnitude + std::abs(w));
    }
    all.sum += sum;
    all.magnitude += magnitude;
    weights = weights.subspan(chunk.size());
  }
  return all;
}

}  // namespace octet::ir
