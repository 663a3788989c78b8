#pragma once

#include <algorithm>

#include "kernels/f32/conv2d_parts.h"

namespace octet::kernels {

// A convolution with a kernel of one pixel, a stride and no padding reads every stride-th pixel of
// every stride-th row alone. Those, gathered, are the image of a pointwise convolution with the
// same chains, whose products are long stretches of memory again.
struct StridedPixels {
  const Conv2dShape& s;

  static bool fit(const Conv2dShape& s) {
    return s.kernel_h == 1 && s.kernel_w == 1 && s.stride > 1 && s.padding == 0 && s.groups == 1;
  }

  Conv2dShape pointwise() const {
    Conv2dShape p = s;
    p.height = s.out_height();
    p.width = s.out_width();
    p.stride = 1;
    return p;
  }
  std::int64_t floats() const {
    return whole_lines(s.batch * s.out_height() * s.out_width() * s.in);
  }

  // x [batch, height, width, in] -> to [batch, out_height, out_width, in]
  void gather(const float* x, float* to) const {
    const std::int64_t width = s.out_width();
    parallel_for(s.batch * s.out_height(), [&](std::int64_t row) {
      const float* from = x + source_row(row) * s.width * s.in;
      float* out = to + row * width * s.in;
      for (std::int64_t i = 0; i < width; ++i) {
        std::copy_n(from + i * s.stride * s.in, s.in, out + i * s.in);
      }
    });
  }

  // The gradient of gather: zeros where nothing was read.
  void scatter(const float* from, float* dx) const {
    const std::int64_t width = s.out_width(), line = s.width * s.in;
    parallel_for(s.batch * s.height, [&](std::int64_t row) {
      const std::int64_t y = row % s.height;
      float* out = dx + row * line;
      if (y % s.stride != 0) {
        std::fill_n(out, line, 0.0f);
        return;
      }
      const float* in = from + (row / s.height * s.out_height() + y / s.stride) * width * s.in;
      for (std::int64_t x = 0; x < s.width; ++x, out += s.in) {
        if (x % s.stride == 0) {
          std::copy_n(in + x / s.stride * s.in, s.in, out);
        } else {
          std::fill_n(out, s.in, 0.0f);
        }
      }
    });
  }

 private:
  std::int64_t source_row(std::int64_t row) const {
    return row / s.out_height() * s.height + row % s.out_height() * s.stride;
  }
};

}  // namespace octet::kernels
