#pragma once

#include <cstdint>

#include "ops/activation.h"
#include "tensor/tensor.h"

namespace octet {

struct Conv2dOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;  // zeros on each side
  std::int64_t groups = 1;
  Activation activation = Activation::kNone;
};

// 2-D convolution (cross-correlation), and its activation: the same bits as relu(conv2d(...)), with
// fewer passes over memory.
//   x: [N, H, W, I] float32      weight: [O, KH, KW, I / groups]      bias: [O], or undefined for
//   none returns [N, (H + 2 padding - KH) / stride + 1, (W + 2 padding - KW) / stride + 1, O]
// Throws Error on a shape that does not fit. Same bits for every number of threads and instruction
// set.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options);

}  // namespace octet
