#pragma once

#include "kernels/f32/conv2d.h"
#include "tensor/tensor.h"

namespace octet {

// What conv2d and linear share: the product and its history, for operands that are already checked.
//   x, weight, bias: as `shape` says (bias may be undefined), in any grouping of the extents
//   returns `result_shape`, which has batch * out_height * out_width * out elements, with
//   tail.halve half the height and width
// `node_name` is a literal; tail.cells is not the caller's.
Tensor convolution(const char* node_name, const kernels::Conv2dShape& shape, const Tensor& x,
                   const Tensor& weight, const Tensor& bias, kernels::ConvolutionTail tail,
                   Shape result_shape);

}  // namespace octet
