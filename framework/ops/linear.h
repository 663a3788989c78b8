#pragma once

#include "ops/activation.h"
#include "tensor/tensor.h"

namespace octet {

// y = x weight^T + bias, and its activation: the same bits as relu(linear(...)), with fewer passes
// over memory.
//   x: [N, I] float32      weight: [O, I]      bias: [O], or undefined for none      returns [N, O]
// Under an AutocastGuard (ops/autocast.h) with bfloat16 products. Throws Error on a shape that does
// not fit. Same bits for every number of threads and instruction
// set.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
              Activation activation = Activation::kNone);

}  // namespace octet
