#pragma once

#include <algorithm>

#include "base/integer_math.h"
#include "base/parallel.h"
#include "kernels/f32/conv2d.h"

// What the three passes of a convolution share.
namespace octet::kernels {

// Pieces of scratch are whole cache lines.
constexpr std::int64_t whole_lines(std::int64_t floats) { return div_up(floats, 16) * 16; }

inline std::size_t workers() { return static_cast<std::size_t>(num_threads()); }

// A kernel of one pixel without stride and padding: the convolution is one matrix product.
inline bool is_pointwise(const Conv2dShape& s) {
  return s.kernel_h == 1 && s.kernel_w == 1 && s.stride == 1 && s.padding == 0 && s.groups == 1;
}

// As many floats of pairs, made block by block, stay in L2 beside the weights.
constexpr std::int64_t kMostPairFloats = 64 * 1024;

// Bands of output rows of one image, and the image lines under them. Maps of few channels (a
// network's first layers) are read from lines that have their padding, so that a kernel row is one
// stretch of memory at every pixel: tap lists would be too short there.
struct Lines {
  const Conv2dShape& s;
  std::int64_t line_floats;       // of a line with its padding
  std::int64_t band_rows, bands;  // of one image, even

  explicit Lines(const Conv2dShape& shape)
      : s(shape), line_floats((shape.width + 2 * shape.padding) * shape.in) {
    constexpr std::int64_t kBandFloats = 8192;  // of the image and of the result: L1 to L2
    const std::int64_t row = std::max(s.stride * line_floats, s.out_width() * s.out);
    band_rows = std::min((s.out_height() + 1) / 2 * 2,
                         std::max<std::int64_t>(2, kBandFloats / row / 2 * 2));
    bands = div_up(s.out_height(), band_rows);
  }

  static bool fit(const Conv2dShape& s) {
    return !is_pointwise(s) && s.groups == 1 && s.kernel_w * s.in <= 32 && s.out_width() >= 8;
  }

  std::int64_t buffer_floats() const {
    return s.padding == 0 ? 0
                          : whole_lines(((band_rows - 1) * s.stride + s.kernel_h) * line_floats);
  }

  // The first line, with padding, under output row `first` of an image; further ones as far as
  // `rows` output rows need them. `buffer`, filled, or the image itself.
  const float* read(const float* image, std::int64_t first, std::int64_t rows,
                    float* buffer) const {
    if (s.padding == 0) return image + first * s.stride * s.width * s.in;
    copy(image, first, rows, buffer);
    return buffer;
  }

  // The same, filled into `buffer` in any case; returns its end.
  float* copy(const float* image, std::int64_t first, std::int64_t rows, float* buffer) const {
    const std::int64_t line = s.width * s.in, border = s.padding * s.in;
    const std::int64_t top = first * s.stride - s.padding;
    // Plain loops: the lines are too short for calls of the library.
    float* __restrict to = buffer;
    for (std::int64_t y = top; y < top + (rows - 1) * s.stride + s.kernel_h; ++y) {
      const bool inside = y >= 0 && y < s.height;
      const float* from = image + (inside ? y * line : 0);
      for (std::int64_t i = 0; i < border; ++i) to[i] = to[border + line + i] = 0.0f;
      to += border;
      for (std::int64_t i = 0; i < line; ++i) to[i] = inside ? from[i] : 0.0f;
      to += line + border;
    }
    return to;
  }
};

// A batch in blocks of nearly equal size, at most `most` images: a rest of one or two would leave a
// register tile half empty.
struct ImageBlocks {
  std::int64_t batch, count;

  ImageBlocks(std::int64_t batch_, std::int64_t most)
      : batch(batch_), count(div_up(batch_, most)) {}
  // The first image; of block `count`, the batch's end.
  std::int64_t first(std::int64_t block) const { return std::min(block, count) * batch / count; }
  std::int64_t images(std::int64_t block) const { return first(block + 1) - first(block); }
};

// The weight gradient's chains: one for each group of output rows, and the groups are added in
// order. A function of the shape alone.
struct RowGroups {
  std::int64_t rows, group_rows,
      count;  // of the whole batch; of a group, the last one may have less

  explicit RowGroups(const Conv2dShape& s) : rows(s.batch * s.out_height()) {
    constexpr std::int64_t kMaxGroups = 16, kMinPixels = 512, kMaxPartialFloats = 1 << 20;
    const std::int64_t most = std::min({kMaxGroups, rows, rows * s.out_width() / kMinPixels,
                                        kMaxPartialFloats / (s.out * s.taps())});
    group_rows = div_up(rows, std::max<std::int64_t>(1, most));
    count = div_up(rows, group_rows);
  }
};

// A matrix inside another one.
struct Matrix {
  const float* first;
  std::int64_t stride;
};

// The gradient of a convolution's output, a matrix [pixels, out], by rows of its map.
struct GradientRows {
  const F32Kernels& kernels;
  const Conv2dShape& s;
  OutputGradient gradient;

  static bool in_place(OutputGradient g) { return g.y == nullptr && g.cells == nullptr; }
  std::int64_t row_floats() const { return s.out_width() * s.out; }

  // Columns [column, column + columns) of map rows [first, last) of the batch: where they lie, or
  // in `buffer`, whose (last - first) * row_floats() floats may be overwritten.
  Matrix read(std::int64_t first, std::int64_t last, std::int64_t column, std::int64_t columns,
              float* buffer) const {
    const std::int64_t at = first * row_floats() + column;
    if (in_place(gradient)) return {gradient.dy + at, s.out};
    if (gradient.cells == nullptr) {
      kernels.relu_backward((last - first) * s.out_width(), columns, s.out, gradient.y + at,
                            gradient.dy + at, buffer);
      return {buffer, columns};
    }
    for (std::int64_t row = first; row < last; ++row) {
      read_halved(row, buffer + (row - first) * row_floats());
    }
    return {buffer + column, s.out};
  }

 private:
  void read_halved(std::int64_t row, float* to) const {
    const std::int64_t height = s.out_height(), image = row / height, y = row % height;
    if (y / 2 >= height / 2) {  // no window reaches the last of an odd number of rows
      std::fill_n(to, row_floats(), 0.0f);
      return;
    }
    const std::int64_t at = (image * (height / 2) + y / 2) * (s.out_width() / 2) * s.out;
    kernels.halve_backward(s.out_width(), s.out, y % 2 == 0 ? 0 : 2, gradient.dy + at,
                           gradient.y == nullptr ? nullptr : gradient.y + at, gradient.cells + at,
                           to);
  }
};

}  // namespace octet::kernels
