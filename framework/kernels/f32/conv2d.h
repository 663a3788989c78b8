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

// y = conv(x, weight) + bias: one chain over the taps, started at the bias. With `relu` y is then
// max(y, 0), the ReLU of ops/activation.h.
std::size_t conv2d_forward_scratch_floats(const Conv2dShape& shape);
void conv2d_forward(const F32Kernels& kernels, const Conv2dShape& shape, const float* x,
                    const float* weight, const float* bias, float* y, float* scratch,
                    bool relu = false);

// The gradient of the convolution's output. After a ReLU, whose result y was: dy where y > 0, else
// 0; taken piece by piece where it is used, and never written as a whole.
struct OutputGradient {
  const float* dy;
  const float* y;  // null where there was no ReLU

  OutputGradient(const float* dy_, const float* y_ = nullptr) : dy(dy_), y(y_) {}
};

// dx: for each output pixel and tap one chain over the output channels; their sum in ascending
// order of the output pixel.
std::size_t conv2d_data_gradient_scratch_floats(const Conv2dShape& shape);
void conv2d_data_gradient(const F32Kernels& kernels, const Conv2dShape& shape,
                          OutputGradient gradient, const float* weight, float* dx, float* scratch);

// dw: one chain over the output pixels of each group of output rows; the groups, whose number is a
// function of the shape, are added in order. With db also the bias' gradient, column_sums over the
// output pixels: the output gradient is then read, and masked, only once.
std::size_t conv2d_weight_gradient_scratch_floats(const Conv2dShape& shape);
void conv2d_weight_gradient(const F32Kernels& kernels, const Conv2dShape& shape, const float* x,
                            OutputGradient gradient, float* dw, float* scratch,
                            float* db = nullptr);

// sums[j] = sum over i of gradient[i, j], [rows, columns]: chunks of 128 rows in float, added in
// order in double. The gradient of a bias.
std::size_t column_sums_scratch_floats(std::int64_t rows, std::int64_t columns);
void column_sums(const F32Kernels& kernels, std::int64_t rows, std::int64_t columns,
                 OutputGradient gradient, float* sums, float* scratch);

}  // namespace octet::kernels
