#pragma once

#include <cstddef>

#include "kernels/f32/gemm.h"
#include "kernels/f32/kernels.h"

// Convolution and its gradients without an im2col matrix: the operands of the matrix products are
// read from the maps themselves (tap_product.h). Linear layers are the case of one pixel. Every
// function runs on num_threads() threads, and its result is the same for any number of them and for
// any instruction set. `scratch` is 64-byte aligned memory of as many floats as the function's
// *_scratch_floats says, under the same number of threads; its content does not matter.
//
//   x, dx: [batch, height, width, in]     weight, dw: [out, kernel_h, kernel_w, in / groups]
//   y, dy: [batch, out_height, out_width, out]     bias, db: [out] or null
namespace octet::kernels {

// What follows the convolution in the same pass.
struct ConvolutionTail {
  bool relu = false;  // max(y, 0), the ReLU of ops/activation.h
  // Then max-pool of 2x2 windows with stride 2: y is [batch, out_height / 2, out_width / 2, out].
  bool halve = false;
  std::uint8_t* cells = nullptr;  // as y: which cell of the window won (kernels.halve), or null
  // Batch norm's partials for the rows of y (batch_norm.h), or null. Not with halve.
  float* statistics = nullptr;
};

// For kernels whose gemm multiplies pairs (kernels/bf16/conv2d.h), and then the shape counts in
// pairs what a pass sums over. With `extent` set, that operand, or the weight gradient's two, are
// still float32, `extent` of it, and become pairs block by block in the cache of the thread that
// multiplies them. Only where the pass's *_takes_floats says so.
struct PairsOfFloats {
  void (*rows)(std::int64_t count, const float* even, const float* odd, float* pairs) = nullptr;
  void (*columns)(std::int64_t rows, std::int64_t columns, const float* x, float* pairs) = nullptr;
  std::int64_t extent = 0;
};
bool forward_takes_floats(const Conv2dShape& shape, ConvolutionTail tail);

// y = conv(x, weight) + bias: one chain over the taps inside the image, started at the bias.
std::size_t conv2d_forward_scratch_floats(const Conv2dShape& shape, ConvolutionTail tail = {});
void conv2d_forward(const F32Kernels& kernels, const Conv2dShape& shape, const float* x,
                    const float* weight, const float* bias, float* y, float* scratch,
                    ConvolutionTail tail = {}, PairsOfFloats pairs = {});

// The gradient of the convolution's output, from that of the tail's: dy where the cell won and y >
// 0, else 0. Taken piece by piece where it is used, and never written as a whole; behind a max-pool
// its zeros may be left out (conv2d_winners.h).
struct OutputGradient {
  const float* dy;
  const float* y = nullptr;             // the result, where a ReLU made it
  const std::uint8_t* cells = nullptr;  // where a max-pool followed; dy and y are then of its size

  OutputGradient(const float* dy_, const float* y_ = nullptr, const std::uint8_t* cells_ = nullptr)
      : dy(dy_), y(y_), cells(cells_) {}
};

// dx: one chain over the output pixels that the input pixel took part in, in ascending order, and
// the channels of each. With `add` dx is added to what is there; only where data_gradient_adds, and
// for a gradient without y and cells.
bool data_gradient_adds(const Conv2dShape& shape);
bool data_gradient_takes_floats(const Conv2dShape& shape, OutputGradient gradient);
std::size_t conv2d_data_gradient_scratch_floats(const Conv2dShape& shape, OutputGradient gradient);
void conv2d_data_gradient(const F32Kernels& kernels, const Conv2dShape& shape,
                          OutputGradient gradient, const float* weight, float* dx, float* scratch,
                          bool add = false, PairsOfFloats pairs = {});

// dw: one chain over the output pixels of each group of output rows; the groups, whose number is a
// function of the shape, are added in order. With db also the bias' gradient: the output
// gradient is then read, and masked, only once.
bool weight_gradient_takes_floats(const F32Kernels& kernels, const Conv2dShape& shape,
                                  OutputGradient gradient);
std::size_t conv2d_weight_gradient_scratch_floats(const Conv2dShape& shape);
void conv2d_weight_gradient(const F32Kernels& kernels, const Conv2dShape& shape, const float* x,
                            OutputGradient gradient, float* dw, float* scratch, float* db = nullptr,
                            PairsOfFloats pairs = {});

// db: the sum over the output pixels; chunks of 128 in float, added in order in double.
std::size_t conv2d_bias_gradient_scratch_floats(const Conv2dShape& shape);
void conv2d_bias_gradient(const F32Kernels& kernels, const Conv2dShape& shape,
                          OutputGradient gradient, float* db, float* scratch);

}  // namespace octet::kernels
