#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/f32/gemm.h"

// im2col and col2im, written once over a vector type (gemm_tile.h); included by one file per
// instruction set.
namespace octet::kernels {
namespace {

// A run of n floats, handled as whole vectors and one masked rest.
template <class V>
struct Run {
  std::int64_t whole;  // floats in whole vectors
  std::int64_t count;
  typename V::Mask rest;

  explicit Run(std::int64_t n)
      : whole(n / V::kWidth * V::kWidth), count(n), rest(V::mask(n == whole ? 1 : n - whole)) {}

  void copy(const float* from, float* to) const {
    for (std::int64_t i = 0; i < whole; i += V::kWidth) V::store(to + i, V::load(from + i));
    if (whole < count) V::store(to + whole, V::load(from + whole, rest), rest);
  }
  void add(const float* from, float* to) const {
    for (std::int64_t i = 0; i < whole; i += V::kWidth) {
      V::store(to + i, V::add(V::load(to + i), V::load(from + i)));
    }
    if (whole < count) {
      V::store(to + whole, V::add(V::load(to + whole, rest), V::load(from + whole, rest)), rest);
    }
  }
};

inline std::int64_t clamp_index(std::int64_t i, std::int64_t low, std::int64_t high) {
  return i < low ? low : i > high ? high : i;
}

// Output positions [first, last) for which position * stride + offset lies in [0, extent - length].
struct Positions {
  std::int64_t first, last;
};
inline Positions inside(std::int64_t count, std::int64_t stride, std::int64_t offset,
                        std::int64_t length, std::int64_t extent) {
  const std::int64_t room = extent - length - offset;
  const std::int64_t last = room < 0 ? 0 : clamp_index(room / stride + 1, 0, count);
  const std::int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  return {clamp_index(first, 0, last), last};
}

inline void fill_zeros(float* to, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = 0.0f;
}

// The taps of one kernel row for the output pixels of one row. `line` is the row of x at this
// group's first channel; `to` the first pixel's place for this kernel row.
template <class V>
void copy_kernel_row(const Conv2dShape& s, const float* line, float* to, std::ptrdiff_t stride) {
  const std::int64_t channels = s.in_per_group(), width = s.out_width();
  if (s.groups == 1) {
    // A kernel row is one run of the image row; only pixels at the border are taken apart.
    const Run<V> run(s.kernel_w * channels);
    const Positions whole = inside(width, s.stride, -s.padding, s.kernel_w, s.width);
    for (std::int64_t ox = 0; ox < width; ++ox) {
      if (ox == whole.first && whole.first < whole.last) {
        const float* from = line + (ox * s.stride - s.padding) * channels;
        for (; ox < whole.last; ++ox, from += s.stride * channels) run.copy(from, to + ox * stride);
        if (ox == width) return;
      }
      const std::int64_t ix = ox * s.stride - s.padding;
      const std::int64_t begin = clamp_index(-ix, 0, s.kernel_w) * channels;
      const std::int64_t end = clamp_index(s.width - ix, 0, s.kernel_w) * channels;
      float* pixel = to + ox * stride;
      fill_zeros(pixel, s.kernel_w * channels);
      for (std::int64_t i = begin; i < end; ++i) pixel[i] = line[ix * channels + i];
    }
    return;
  }
  const Run<V> run(channels);
  for (std::int64_t kw = 0; kw < s.kernel_w; ++kw, to += channels) {
    const Positions valid = inside(width, s.stride, kw - s.padding, 1, s.width);
    for (std::int64_t ox = 0; ox < width; ++ox) {
      if (ox < valid.first || ox >= valid.last) {
        fill_zeros(to + ox * stride, channels);
      } else {
        run.copy(line + (ox * s.stride - s.padding + kw) * s.in, to + ox * stride);
      }
    }
  }
}

template <class V>
void im2col(const Im2colArgs& args, const float* x, float* columns) {
  const Conv2dShape& s = args.shape;
  const std::int64_t height = s.out_height(), width = s.out_width(), channels = s.in_per_group();
  for (std::int64_t row = args.first_row; row < args.last_row; ++row) {
    const float* image = x + row / height * s.height * s.width * s.in + args.group * channels;
    for (std::int64_t kh = 0; kh < s.kernel_h; ++kh) {
      const std::int64_t iy = row % height * s.stride - s.padding + kh;
      float* to = columns + kh * s.kernel_w * channels;
      if (iy >= 0 && iy < s.height) {
        copy_kernel_row<V>(s, image + iy * s.width * s.in, to, args.column_stride);
      } else {
        for (std::int64_t ox = 0; ox < width; ++ox) {
          fill_zeros(to + ox * args.column_stride, s.kernel_w * channels);
        }
      }
    }
    columns += width * args.column_stride;
  }
}

// Taps of a kernel row from right to left: an element of x then receives its summands in ascending
// order of the output pixel, although neighbouring pixels are far apart in time (adding to what has
// just been stored is slow).
template <class V>
void col2im(const Im2colArgs& args, const float* columns, float* x) {
  const Conv2dShape& s = args.shape;
  const std::int64_t height = s.out_height(), width = s.out_width(), channels = s.in_per_group();
  const Run<V> run(channels);
  for (std::int64_t row = args.first_row; row < args.last_row; ++row) {
    float* image = x + row / height * s.height * s.width * s.in + args.group * channels;
    for (std::int64_t kh = 0; kh < s.kernel_h; ++kh) {
      const std::int64_t iy = row % height * s.stride - s.padding + kh;
      if (iy < 0 || iy >= s.height) continue;
      for (std::int64_t kw = s.kernel_w - 1; kw >= 0; --kw) {
        const Positions valid = inside(width, s.stride, kw - s.padding, 1, s.width);
        const float* from = columns + (kh * s.kernel_w + kw) * channels;
        float* line = image + (iy * s.width - s.padding + kw) * s.in;
        for (std::int64_t ox = valid.first; ox < valid.last; ++ox) {
          run.add(from + ox * args.column_stride, line + ox * s.stride * s.in);
        }
      }
    }
    columns += width * args.column_stride;
  }
}

}  // namespace
}  // namespace octet::kernels
