#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace octet {

struct Pool2dOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t padding = 0;  // at most kernel / 2
};

// Largest element of each window; padding never wins, a NaN does. The gradient goes to the first
// largest element, in the order of rows. kernel <= 16.
//   x: [N, H, W, C] float32 (values or codes; qparams pass on)
//   returns [N, (H + 2 padding - kernel) / stride + 1, (W + 2 padding - kernel) / stride + 1, C]
Tensor max_pool2d(const Tensor& x, Pool2dOptions options);

// Mean of each window; padding counts as zeros (PyTorch's count_include_pad). Shapes as for
// max_pool2d.
Tensor avg_pool2d(const Tensor& x, Pool2dOptions options);

// Mean of each map.  x: [N, H, W, C]      returns [N, 1, 1, C]
Tensor global_avg_pool2d(const Tensor& x);

}  // namespace octet
