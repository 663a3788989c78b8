#pragma once

#include <cstddef>

#include "kernels/bf16/kernels.h"
#include "kernels/f32/conv2d.h"

// Convolution and its gradients with bfloat16 products: float32 tensors come in, the operands of
// the products are rounded to bfloat16, sums and results are float32. What does not multiply is the
// float32 kernels' (kernels/f32/conv2d.h): bias, ReLU, max-pool, the bias' gradient. Contract,
// order of summation, layouts and scratch as there, but for groups = 1 only and with two products
// in each link of a chain:
//   forward           input channels 2 i and 2 i + 1
//   data gradient     output channels 2 i and 2 i + 1
//   weight gradient   the same pixel of images 2 i and 2 i + 1
// with zeros where the second is missing. Thus a pair is to the products what a float is to
// float32's, and one code cuts, packs and walks both. Any number of threads and any kernel of the
// list give the same bits.
namespace octet::kernels {

std::size_t bf16_conv2d_forward_scratch_floats(const Conv2dShape& shape, ConvolutionTail tail = {});
void bf16_conv2d_forward(const Bf16Kernels& kernels, const Conv2dShape& shape, const float* x,
                         const float* weight, const float* bias, float* y, float* scratch,
                         ConvolutionTail tail = {});

std::size_t bf16_conv2d_data_gradient_scratch_floats(const Conv2dShape& shape,
                                                     OutputGradient gradient);
void bf16_conv2d_data_gradient(const Bf16Kernels& kernels, const Conv2dShape& shape,
                               OutputGradient gradient, const float* weight, float* dx,
                               float* scratch, bool add = false);

std::size_t bf16_conv2d_weight_gradient_scratch_floats(const Conv2dShape& shape);
void bf16_conv2d_weight_gradient(const Bf16Kernels& kernels, const Conv2dShape& shape,
                                 const float* x, OutputGradient gradient, float* dw, float* scratch,
                                 float* db = nullptr);

}  // namespace octet::kernels
