#pragma once

#include "tensor/tensor.h"

namespace octet {

// What conv2d and linear can apply to their result in the same pass.
enum class Activation { kNone, kRelu };

// max(x, 0), elementwise; the gradient at 0 is 0.
Tensor relu(const Tensor& x);

// min(max(x, low), high), elementwise; the gradient is 1 strictly inside, else 0. ReLU6 is clamp(x,
// 0, 6). Throws Error unless low <= high.
Tensor clamp(const Tensor& x, float low, float high);

}  // namespace octet
