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
  bool max_pool = false;  // then max_pool2d with windows of 2x2 and stride 2
};

// 2-D convolution (cross-correlation), its activation and its max-pool: the same bits as
// max_pool2d(relu(conv2d(...)), {}), with fewer passes over memory; the map before the pool never
// exists as a whole.
//   x: [N, H, W, I] float32      weight: [O, KH, KW, I / groups]      bias: [O], or undefined for
//   none returns [N, (H + 2 padding - KH) / stride + 1, (W + 2 padding - KW) / stride + 1, O], with
//   max_pool half as high and wide
// Under an AutocastGuard (ops/autocast.h) with bfloat16 products, unless there are several groups.
// Throws Error on a shape that does not fit. Same bits for every number of threads and instruction
// set.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options);

// conv2d without bias, activation and pool; and batch norm's first step for its result, which
// batch_norm takes, computed while the result is still in cache.
struct ConvolutionResult {
  Tensor y;
  Tensor statistics;  // of y's chunks: partials of kernels/f32/batch_norm.h
};
ConvolutionResult conv2d_with_statistics(const Tensor& x, const Tensor& weight,
                                         Conv2dOptions options);

}  // namespace octet
