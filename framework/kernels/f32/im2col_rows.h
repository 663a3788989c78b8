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
  void zero(float* to) const {
    for (std::int64_t i = 0; i < length; i += V::kWidth) V::store(to + i, V::zero());
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

// One output row being rearranged. Pixel by pixel and tap by tap in ascending order: what a stretch
// writes too much is overwritten by the next.
template <class V>
class RowOfColumns {
 public:
  RowOfColumns(const Im2colArgs& args, const float* image, std::int64_t oy)
      : s_(args.shape),
        channels_(s_.in_per_group()),
        kernel_row_(s_.kernel_w * channels_),
        column_stride_(args.column_stride),
        line_floats_(s_.width * s_.in),
        row_(kernel_row_),
        tap_(channels_) {
    const std::int64_t iy = oy * s_.stride - s_.padding;
    top_ = clamp_index(-iy, 0, s_.kernel_h);
    bottom_ = clamp_index(s_.height - iy, top_, s_.kernel_h);
    line_ = image + (iy + top_) * line_floats_ + args.group * channels_;
  }

  void write(float* columns) const {
    const std::int64_t width = s_.out_width(), room = s_.width + s_.padding - s_.kernel_w;
    // Pixels [first, last) have their kernel rows inside the image.
    const std::int64_t last = room < 0 ? 0 : clamp_index(room / s_.stride + 1, 0, width);
    const std::int64_t first = clamp_index((s_.padding + s_.stride - 1) / s_.stride, 0, last);
    std::int64_t ox = 0;
    for (; ox < first; ++ox) border_pixel(ox, columns + ox * column_stride_);
    if (s_.groups == 1) {
      const float* from = line_ + (ox * s_.stride - s_.padding) * channels_;
      for (; ox < last; ++ox, from += s_.stride * channels_) {
        inner_pixel(from, columns + ox * column_stride_);
      }
    }
    for (; ox < width; ++ox) border_pixel(ox, columns + ox * column_stride_);
  }

 private:
  void inner_pixel(const float* from, float* to) const {
    for (std::int64_t kh = 0; kh < top_; ++kh, to += kernel_row_) row_.zero(to);
    for (std::int64_t kh = top_; kh < bottom_; ++kh, to += kernel_row_, from += line_floats_) {
      row_.copy(from, to);
    }
    for (std::int64_t kh = bottom_; kh < s_.kernel_h; ++kh, to += kernel_row_) row_.zero(to);
  }

  void border_pixel(std::int64_t ox, float* to) const {
    const std::int64_t ix = ox * s_.stride - s_.padding;
    const std::int64_t left = clamp_index(-ix, 0, s_.kernel_w);
    const std::int64_t right = clamp_index(s_.width - ix, left, s_.kernel_w);
    const float* from = line_ + ix * s_.in;
    for (std::int64_t kh = 0; kh < top_; ++kh, to += kernel_row_) row_.zero(to);
    for (std::int64_t kh = top_; kh < bottom_; ++kh, to += kernel_row_, from += line_floats_) {
      if (s_.groups == 1) {
        row_.copy_part(from, to, left * channels_, right * channels_);
        continue;
      }
      for (std::int64_t kw = 0; kw < s_.kernel_w; ++kw) {
        if (kw >= left && kw < right) {
          tap_.copy(from + kw * s_.in, to + kw * channels_);
        } else {
          tap_.zero(to + kw * channels_);
        }
      }
    }
    for (std::int64_t kh = bottom_; kh < s_.kernel_h; ++kh, to += kernel_row_) row_.zero(to);
  }

  const Conv2dShape s_;
  const std::int64_t channels_, kernel_row_;
  const std::ptrdiff_t column_stride_, line_floats_;
  const Stretch<V> row_;  // a kernel row
  const Stretch<V> tap_;
  std::int64_t top_, bottom_;  // kernel rows inside the image
  const float* line_;          // of kernel row top_
};

// Images whose kernel rows fit one vector V (those of one channel): a few lines at a time are
// copied with their padding, after which no pixel is at a border. kKernelH: kernel_h, 0 for any.
template <class V, int kKernelH>
class PaddedLines {
 public:
  explicit PaddedLines(const Im2colArgs& args)
      : s_(args.shape),
        column_stride_(args.column_stride),
        line_floats_((s_.width + 2 * s_.padding) * s_.in) {}

  // How many output rows fit at a time; 0 where the image is too wide.
  std::int64_t capacity() const {
    const std::int64_t lines = kFloats / line_floats_;
    return lines < s_.kernel_h ? 0 : (lines - s_.kernel_h) / s_.stride + 1;
  }

  // Output rows [first, first + rows) of one image, rows <= capacity().
  void write(const float* image, std::int64_t first, std::int64_t rows, float* columns) {
    fill(image, first * s_.stride - s_.padding, (rows - 1) * s_.stride + s_.kernel_h);
    const std::int64_t kernel_h = kKernelH > 0 ? kKernelH : s_.kernel_h;
    const std::int64_t width = s_.out_width(), kernel_row = s_.kernel_w * s_.in;
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* pixel = lines_ + row * s_.stride * line_floats_;
      for (std::int64_t ox = 0; ox < width; ++ox, pixel += s_.stride * s_.in) {
        const float* from = pixel;
        float* to = columns;
        for (std::int64_t kh = 0; kh < kernel_h; ++kh, from += line_floats_, to += kernel_row) {
          V::store(to, V::load(from));  // what is too much is overwritten by the next
        }
        columns += column_stride_;
      }
    }
  }

 private:
  static constexpr std::int64_t kFloats = 2048;

  // Image lines [top, top + count), which may lie outside.
  void fill(const float* image, std::int64_t top, std::int64_t count) {
    const std::int64_t image_line = s_.width * s_.in, border = s_.padding * s_.in;
    float* to = lines_;
    for (std::int64_t y = top; y < top + count; ++y, to += line_floats_) {
      const bool inside = y >= 0 && y < s_.height;
      const float* from = image + (inside ? y : 0) * image_line;
      for (std::int64_t i = 0; i < border; ++i) to[i] = to[border + image_line + i] = 0.0f;
      for (std::int64_t i = 0; i < image_line; ++i) to[border + i] = inside ? from[i] : 0.0f;
    }
  }

  const Conv2dShape s_;
  const std::ptrdiff_t column_stride_, line_floats_;
  float lines_[kFloats + V::kWidth];  // the last load reads beyond its line
};

// True if this way was possible.
template <class V, int kKernelH>
bool im2col_padded(const Im2colArgs& args, const float* x, float* columns) {
  const Conv2dShape& s = args.shape;
  PaddedLines<V, kKernelH> lines(args);
  const std::int64_t capacity = lines.capacity(), height = s.out_height();
  if (capacity == 0) return false;
  for (std::int64_t row = args.first_row; row < args.last_row;) {
    const std::int64_t first = row % height, room = clamp_index(height - first, 1, capacity);
    const std::int64_t rows = clamp_index(args.last_row - row, 1, room);
    lines.write(x + row / height * s.height * s.width * s.in, first, rows, columns);
    columns += rows * s.out_width() * args.column_stride;
    row += rows;
  }
  return true;
}

template <class V>
void im2col(const Im2colArgs& args, const float* x, float* columns) {
  const Conv2dShape& s = args.shape;
  using Narrow = typename V::Narrow;
  if (s.groups == 1 && s.kernel_w * s.in <= Narrow::kWidth) {
    const bool done = s.kernel_h == 5   ? im2col_padded<Narrow, 5>(args, x, columns)
                      : s.kernel_h == 3 ? im2col_padded<Narrow, 3>(args, x, columns)
                                        : im2col_padded<Narrow, 0>(args, x, columns);
    if (done) return;
  }
  const std::int64_t height = s.out_height();
  for (std::int64_t row = args.first_row; row < args.last_row; ++row) {
    const float* image = x + row / height * s.height * s.width * s.in;
    RowOfColumns<V>(args, image, row % height).write(columns);
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
  std::int64_t out = least <= 0 ? 0 : stride == 1 ? least : (least + stride - 1) / stride;
  if (out < first) out = first;
  std::int64_t end = (stride == 1 ? position : position / stride) + 1;
  if (end > last) end = last;
  return {end > out ? end - out : 0, position - out * stride, out};
}

// Strides of the columns in floats, and what else is the same for all pixels.
struct ColumnSteps {
  std::int64_t channels;
  std::ptrdiff_t x, y;  // from an output pixel's tap to that of the next pixel, of the next row

  explicit ColumnSteps(const Im2colArgs& args)
      : channels(args.shape.in_per_group()),
        x(args.column_stride - args.shape.stride * channels),
        y(args.shape.out_width() * args.column_stride -
          args.shape.stride * args.shape.kernel_w * channels) {}
};

// Adds to the channels of one pixel what the columns hold for it, in ascending order of the output
// pixel. `columns` is where the first output pixel holds its tap. kPixels: `pixels`, 0 for any.
template <class V, int kPixels>
void col2im_pixel(const ColumnSteps& step, std::int64_t rows, std::int64_t pixels,
                  const float* columns, float* to) {
  for (std::int64_t c = 0; c < step.channels; c += V::kWidth) {
    const std::int64_t left = step.channels - c;
    const auto mask = V::mask(left < V::kWidth ? left : V::kWidth);
    typename V::Reg sum = V::load(to + c, mask);
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* from = columns + row * step.y + c;
      const std::int64_t count = kPixels > 0 ? kPixels : pixels;
      for (std::int64_t pixel = 0; pixel < count; ++pixel, from += step.x) {
        sum = V::add(sum, V::load(from, mask));
      }
    }
    V::store(to + c, sum, mask);
  }
}

// Output rows [first, last) of one image; `image` is at the group's first channel.
template <class V>
void col2im_image(const Im2colArgs& args, const ColumnSteps& step, std::int64_t first,
                  std::int64_t last, const float* columns, float* image) {
  const Conv2dShape s = args.shape;
  const std::int64_t width = s.out_width();
  for (std::int64_t iy = 0; iy < s.height; ++iy) {
    const Taps vertical = taps_of(iy + s.padding, s.kernel_h, s.stride, first, last);
    if (vertical.count == 0) continue;
    const float* row = columns + (vertical.out - first) * width * args.column_stride +
                       vertical.tap * s.kernel_w * step.channels;
    for (std::int64_t ix = 0; ix < s.width; ++ix) {
      const Taps horizontal = taps_of(ix + s.padding, s.kernel_w, s.stride, 0, width);
      const float* from =
          row + horizontal.out * args.column_stride + horizontal.tap * step.channels;
      float* to = image + (iy * s.width + ix) * s.in;
      const auto pixel = horizontal.count == 5   ? col2im_pixel<V, 5>
                         : horizontal.count == 3 ? col2im_pixel<V, 3>
                                                 : col2im_pixel<V, 0>;
      pixel(step, vertical.count, horizontal.count, from, to);
    }
  }
}

template <class V>
void col2im(const Im2colArgs& args, const float* columns, float* x) {
  const Conv2dShape s = args.shape;
  const ColumnSteps step(args);
  const std::int64_t height = s.out_height(), row_floats = s.out_width() * args.column_stride;
  for (std::int64_t begin = args.first_row; begin < args.last_row;) {
    const std::int64_t n = begin / height, image_end = (n + 1) * height;
    const std::int64_t end = args.last_row < image_end ? args.last_row : image_end;
    const std::int64_t first = begin - n * height, last = end - n * height;
    float* image = x + n * s.height * s.width * s.in + args.group * step.channels;
    if (step.channels <= V::Narrow::kWidth) {
      col2im_image<typename V::Narrow>(args, step, first, last, columns, image);
    } else {
      col2im_image<V>(args, step, first, last, columns, image);
    }
    columns += (end - begin) * row_floats;
    begin = end;
  }
}

}  // namespace
}  // namespace octet::kernels
