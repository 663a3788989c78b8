#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/f32/gemm.h"

// im2col and col2im, written once over a vector type (gemm_tile.h); included by one file per
// instruction set. A masked load zeroes the other lanes and does not touch their memory. There are
// no masked stores where memory is read again soon: what they leave cannot be forwarded to a load.
namespace octet::kernels {
namespace {

inline std::int64_t clamp_index(std::int64_t i, std::int64_t low, std::int64_t high) {
  return i < low ? low : i > high ? high : i;
}

// A stretch of floats that is contiguous in x and in the columns: a kernel row, or with groups the
// channels of one tap. Stores whole vectors: up to kWidth - 1 floats beyond the stretch are
// overwritten.
template <class V>
struct Stretch {
  std::int64_t length;
  typename V::Mask rest;  // of the last vector

  explicit Stretch(std::int64_t floats)
      : length(floats), rest(V::mask(floats - (floats - 1) / V::kWidth * V::kWidth)) {}

  void copy(const float* from, float* to) const {
    std::int64_t i = 0;
    for (; i + V::kWidth < length; i += V::kWidth) V::store(to + i, V::load(from + i));
    V::store(to + i, V::load(from + i, rest));
  }
  // Elements [first, last) are copied, the others become 0; `from` need not exist outside.
  void copy_part(const float* from, float* to, std::int64_t first, std::int64_t last) const {
    for (std::int64_t i = 0; i < length; i += V::kWidth) {
      const std::int64_t low = clamp_index(first - i, 0, V::kWidth);
      const std::int64_t high = clamp_index(last - i, 0, V::kWidth);
      V::store(to + i, low < high ? V::load(from + i, V::mask(low, high)) : V::zero());
    }
  }
};

// The columns of one output row, pixel by pixel and tap by tap in ascending order: what a stretch
// writes too much is overwritten by the next.
template <class V>
void im2col_row(const Im2colArgs& args, const float* image, std::int64_t oy, float* columns) {
  const Conv2dShape& s = args.shape;
  const std::int64_t channels = s.in_per_group(), width = s.out_width();
  const std::int64_t iy = oy * s.stride - s.padding;
  const std::int64_t top = clamp_index(-iy, 0, s.kernel_h);
  const std::int64_t bottom = clamp_index(s.height - iy, top, s.kernel_h);
  const std::int64_t kernel_row = s.kernel_w * channels, line_floats = s.width * s.in;
  const Stretch<V> row(kernel_row), tap(channels);
  for (std::int64_t ox = 0; ox < width; ++ox, columns += args.column_stride) {
    const std::int64_t ix = ox * s.stride - s.padding;
    const std::int64_t left = clamp_index(-ix, 0, s.kernel_w);
    const std::int64_t right = clamp_index(s.width - ix, left, s.kernel_w);
    const float* from = image + (iy + top) * line_floats + ix * s.in + args.group * channels;
    float* to = columns;
    for (std::int64_t kh = 0; kh < top; ++kh, to += kernel_row) row.copy_part(from, to, 0, 0);
    for (std::int64_t kh = top; kh < bottom; ++kh, to += kernel_row, from += line_floats) {
      if (s.groups > 1) {
        for (std::int64_t kw = 0; kw < s.kernel_w; ++kw) {
          const bool valid = kw >= left && kw < right;
          tap.copy_part(from + kw * s.in, to + kw * channels, 0, valid ? channels : 0);
        }
      } else if (right - left == s.kernel_w) {
        row.copy(from, to);
      } else {
        row.copy_part(from, to, left * channels, right * channels);
      }
    }
    for (std::int64_t kh = bottom; kh < s.kernel_h; ++kh, to += kernel_row) {
      row.copy_part(from, to, 0, 0);
    }
  }
}

template <class V>
void im2col(const Im2colArgs& args, const float* x, float* columns) {
  const Conv2dShape& s = args.shape;
  const std::int64_t height = s.out_height();
  const std::int64_t stretch = (s.groups == 1 ? s.kernel_w : 1) * s.in_per_group();
  for (std::int64_t row = args.first_row; row < args.last_row; ++row) {
    const float* image = x + row / height * s.height * s.width * s.in;
    if (stretch <= V::Narrow::kWidth) {
      im2col_row<typename V::Narrow>(args, image, row % height, columns);
    } else {
      im2col_row<V>(args, image, row % height, columns);
    }
    columns += s.out_width() * args.column_stride;
  }
}

// The taps along one axis that connect an input position with the output positions [first, last):
// tap, tap - stride, ..., `count` of them, with the outputs `out`, out + 1, ...
struct Taps {
  std::int64_t count, tap, out;
};
inline Taps taps_of(std::int64_t position, std::int64_t kernel, std::int64_t stride,
                    std::int64_t first, std::int64_t last) {
  // position (with padding) = out * stride + tap
  const std::int64_t least = position - kernel + 1;  // out * stride is at least this
  std::int64_t out = least > 0 ? (least + stride - 1) / stride : 0;
  if (out < first) out = first;
  std::int64_t end = position / stride + 1;
  if (end > last) end = last;
  return {end > out ? end - out : 0, position - out * stride, out};
}

// Adds to the channels of one pixel what the columns hold for it, in ascending order of the output
// pixel. `columns` is where output (vertical.out, horizontal.out) holds its tap (vertical.tap,
// horizontal.tap).
template <class V>
void col2im_pixel(const Im2colArgs& args, Taps vertical, Taps horizontal, const float* columns,
                  float* pixel) {
  const Conv2dShape& s = args.shape;
  const std::int64_t channels = s.in_per_group();
  const std::ptrdiff_t step_x = args.column_stride - s.stride * channels;
  const std::ptrdiff_t step_y =
      s.out_width() * args.column_stride - s.stride * s.kernel_w * channels;
  for (std::int64_t c = 0; c < channels; c += V::kWidth) {
    const auto mask = V::mask(channels - c < V::kWidth ? channels - c : V::kWidth);
    typename V::Reg sum = V::load(pixel + c, mask);
    for (std::int64_t v = 0; v < vertical.count; ++v) {
      const float* from = columns + v * step_y + c;
      for (std::int64_t h = 0; h < horizontal.count; ++h, from += step_x) {
        sum = V::add(sum, V::load(from, mask));
      }
    }
    V::store(pixel + c, sum, mask);
  }
}

template <class V>
void col2im(const Im2colArgs& args, const float* columns, float* x) {
  using Narrow = typename V::Narrow;
  const Conv2dShape& s = args.shape;
  const std::int64_t height = s.out_height(), width = s.out_width(), channels = s.in_per_group();
  for (std::int64_t begin = args.first_row; begin < args.last_row;) {
    const std::int64_t image = begin / height, image_end = (image + 1) * height;
    const std::int64_t end = args.last_row < image_end ? args.last_row : image_end;
    const std::int64_t first = begin - image * height, last = end - image * height;
    for (std::int64_t iy = 0; iy < s.height; ++iy) {
      const Taps vertical = taps_of(iy + s.padding, s.kernel_h, s.stride, first, last);
      if (vertical.count == 0) continue;
      for (std::int64_t ix = 0; ix < s.width; ++ix) {
        const Taps horizontal = taps_of(ix + s.padding, s.kernel_w, s.stride, 0, width);
        const float* from = columns +
                            ((vertical.out - first) * width + horizontal.out) * args.column_stride +
                            (vertical.tap * s.kernel_w + horizontal.tap) * channels;
        float* pixel = x + ((image * s.height + iy) * s.width + ix) * s.in + args.group * channels;
        if (channels <= Narrow::kWidth) {
          col2im_pixel<Narrow>(args, vertical, horizontal, from, pixel);
        } else {
          col2im_pixel<V>(args, vertical, horizontal, from, pixel);
        }
      }
    }
    columns += (end - begin) * width * args.column_stride;
    begin = end;
  }
}

}  // namespace
}  // namespace octet::kernels
