#pragma once

#include "base/rng.h"
#include "tensor/tensor.h"

namespace octet {

// Zeroes each element with probability p and scales the others by 1 / (1 - p).
// Sample n of the batch uses the stream Rng(seed, kDropout, epoch, first_index + n): a function of
// the position in the epoch, not of threads.
//   x: [N, ...] float32      0 <= p < 1
struct DropoutOptions {
  float p = 0.5f;
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
  std::uint32_t first_index = 0;
};
Tensor dropout(const Tensor& x, DropoutOptions options);

}  // namespace octet
