#pragma once

#include <cstddef>

#include "kernels/f32/gemm.h"
#include "kernels/f32/kernels.h"

// Convolution and its gradients as matrix products over pieces of the im2col matrix that stay in
// cache; linear layers are the 1x1 case. Every function runs on num_threads() threads, and its
// result is the same for any number of them and for any instruction set. `scratch` is 64-byte
// aligned memory of as many floats as the function's *_scratch_floats says, under the same number
// of threads; its content does not matter.
//
//   x, dx: [batch, height, width, in]     weight, dw: [out, kernel_h, kernel_w, in / groups]
//   y, dy: [batch, out_height, out_width, out]     bias: [out] or null
namespace octet::kernels {

// y = conv(x, weight) + bias: one chain over the taps, started at the bias.
std::size_t conv2d_forward_scratch_floats(const Conv2dShape& shape);
void conv2d_forward(const F32Kernels& kernels, const Conv2dShape& shape, const float* x,
                    const float* weight, const float* bias, float* y, float* scratch);

// dx: for each output pixel and tap one chain over the output channels; their sum in ascending
// order of the output pixel.
std::size_t conv2d_data_gradient_scratch_floats(const Conv2dShape& shape);
void conv2d_data_gradient(const F32Kernels& kernels, const Conv2dShape& shape, const float* dy,
                          const float* weight, float* dx, float* scratch);

// dw: one chain over the output pixels of each group of output rows; the groups, whose number is a
// function of the shape, are added in order.
std::size_t conv2d_weight_gradient_scratch_floats(const Conv2dShape& shape);
void conv2d_weight_gradient(const F32Kernels& kernels, const Conv2dShape& shape, const float* x,
                            const float* dy, float* dw, float* scratch);

// sums[j] = sum over i of a[i, j], a: [rows, columns]: chunks of 128 rows in float, added in order
// in double. The gradient of a bias.
std::size_t column_sums_scratch_floats(std::int64_t rows, std::int64_t columns);
void column_sums(const F32Kernels& kernels, std::int64_t rows, std::int64_t columns, const float* a,
                 float* sums, float* scratch);

}  // namespace octet::kernels
