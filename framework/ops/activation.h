#pragma once

#include "tensor/tensor.h"

namespace octet {

// max(x, 0), elementwise; the gradient at 0 is 0.
Tensor relu(const Tensor& x);

// min(max(x, low), high), elementwise; the gradient is 1 strictly inside, else 0. ReLU6 is clamp(x,
// 0, 6). Throws Error unless low <= high.
Tensor clamp(const Tensor& x, float low, float high);

}  // namespace octet
