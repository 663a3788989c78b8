#pragma once

#include <cstdint>

#include "kernels/fixed_point.h"

namespace octet::kernels {

// x: [n, h, w, c] codes, y: [n, output_h(), output_w(), c] codes, both dense; they do not overlap.
// padding < kernel, so that no window lies outside of the image.
struct PoolArgs {
  std::int64_t n = 1, h = 1, w = 1, c = 1;
  std::int64_t kernel_h = 2, kernel_w = 2;
  std::int64_t stride = 2;
  std::int64_t padding = 0;
  const std::uint8_t* x = nullptr;
  std::uint8_t* y = nullptr;

  std::int64_t output_h() const { return (h + 2 * padding - kernel_h) / stride + 1; }
  std::int64_t output_w() const { return (w + 2 * padding - kernel_w) / stride + 1; }
};

// The largest code of each window, per channel: quantization is monotone, so this is max pooling.
// Pixels of the padding have code 0, which never wins.
void max_pool2d_u8(const PoolArgs& args);

// eq. (13): the sum of code - input_zero_point over the window, requantized and clamped to
// [0, 255]. `requant` is the ratio S_x / (S_y kernel_h kernel_w): pixels of the padding are real 0
// and count.
void avg_pool2d_u8(const PoolArgs& args, std::int32_t input_zero_point, Requant requant,
                   std::int32_t output_zero_point);

}  // namespace octet::kernels
