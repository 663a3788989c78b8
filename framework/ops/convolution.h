#pragma once

#include "kernels/f32/gemm.h"
#include "ops/activation.h"
#include "tensor/tensor.h"

namespace octet {

// What conv2d and linear share: the product and its history, for operands that are already checked.
//   x, weight, bias: as `shape` says (bias may be undefined), in any grouping of the extents
//   returns `result_shape`, which has batch * out_height * out_width * out elements, with max_pool
//   half the height and width
// `node_name` is a literal.
Tensor convolution(const char* node_name, const kernels::Conv2dShape& shape, const Tensor& x,
                   const Tensor& weight, const Tensor& bias, Activation activation, bool max_pool,
                   Shape result_shape);

}  // namespace octet
