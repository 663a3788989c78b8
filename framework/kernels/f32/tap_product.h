#pragma once

#include "kernels/f32/kernels.h"
#include "kernels/f32/pack.h"
#include "kernels/f32/tap_ranges.h"

namespace octet::kernels {

// A convolution, or its data gradient, by tap lists:
//   result[image, pixel, n] = bias[n] + sum over the pixel's list (tap_ranges.h) and k of
//                             source[image, list pixel, k] * weight[tap, k, n]
// as one chain in the order of the list. The rows of a matrix product are the same pixel of several
// images, so one list serves them all: no im2col, no padding, no product with a padding zero. A
// product's operands are long stretches of memory, because list and channels are contiguous.
struct TapProduct {
  // A map, as seen by one of the groups: `channels` of `all_channels`.
  struct Map {
    std::int64_t height, width, channels, all_channels;

    std::int64_t line() const { return width * all_channels; }
    std::int64_t floats() const { return height * line(); }
  };

  const F32Kernels& kernels;
  bool gradient;  // which list
  std::int64_t groups;
  TapAxis vertical, horizontal;
  Map source, result;
  const float*
      packed;  // [groups] of packed_room, [panels][kernel_h][kernel_w][source.channels][width]
  const float* bias = nullptr;
  bool relu = false;
  bool add = false;  // to what the result holds; for kernels of one pixel, which end in one product

  static TapProduct forward(const F32Kernels& kernels, const Conv2dShape& s, const float* packed) {
    return {kernels,  false,     s.groups, vertical_axis(s), horizontal_axis(s),
            input(s), output(s), packed};
  }
  static TapProduct data_gradient(const F32Kernels& kernels, const Conv2dShape& s,
                                  const float* packed) {
    return {kernels,   true,     s.groups, vertical_axis(s), horizontal_axis(s),
            output(s), input(s), packed};
  }

  // Result rows [first, last) of `images` images.
  //   from: the first image's source; the others follow
  //   next: what the next call will read
  //   to: its result row `first`; that of the next image is `to_image` floats further on
  void run(const float* from, float* to, std::int64_t to_image, std::int64_t images,
           GemmF32Args::Stretch next, std::int64_t first, std::int64_t last) const {
    const std::int64_t k = source.channels, n = result.channels;
    const std::int64_t packed_group = packed_room(n, vertical.kernel * horizontal.kernel * k);
    const Panels panels{n, kernels.panel_columns};
    // Images of one pixel are one stretch of memory, and a short wait for each of their lines would
    // be longer than their products.
    if (source.height * source.width > 1) next = {};
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t panel = 0; panel < panels.count(); ++panel) {
        const std::int64_t column = panels.first(panel);
        run_panel(
            {.m = images,
             .n = panels.used(panel),
             .k = k,
             .a = from + g * k,
             .a_row = source.floats(),
             .a_col = 1,
             .b = packed + g * packed_group + column * vertical.kernel * horizontal.kernel * k,
             .b_row = panels.width(panel),
             .init = bias == nullptr ? nullptr : bias + g * n + column,
             .c = to + g * n + column,
             .c_row = to_image,
             .next = g == 0 && panel == 0 ? next : GemmF32Args::Stretch{}},
            first, last);
      }
    }
  }

 private:
  static Map input(const Conv2dShape& s) { return {s.height, s.width, s.in_per_group(), s.in}; }
  static Map output(const Conv2dShape& s) {
    return {s.out_height(), s.out_width(), s.out_per_group(), s.out};
  }

  TapRange range(const TapAxis& axis, std::int64_t at) const {
    return gradient ? axis.gradient(at) : axis.forward(at);
  }

  // `gemm` is at the group's first source and result channels and the panel's first weight. The
  // weights are taken as many kernel rows at a time as stay in L2 while all pixels pass.
  void run_panel(const GemmF32Args& gemm, std::int64_t first, std::int64_t last) const {
    constexpr std::int64_t kPieceFloats = 112 * 1024;
    const std::int64_t row_floats = horizontal.kernel * gemm.k * gemm.b_row;
    const std::int64_t piece = std::max<std::int64_t>(1, kPieceFloats / row_floats);
    for (std::int64_t begin = 0; begin < vertical.kernel; begin += piece) {
      const std::int64_t end = std::min(vertical.kernel, begin + piece);
      for (std::int64_t y = first; y < last; ++y) {
        const TapRange rows = range(vertical, y);
        const std::int64_t low = std::max(rows.tap, begin);
        const std::int64_t high = std::min(rows.tap + rows.count, end);
        for (std::int64_t x = 0; x < result.width; ++x) {
          const TapRange columns = range(horizontal, x);
          GemmF32Args product = gemm;
          product.c += (y - first) * result.line() + x * result.all_channels;
          if (add) product.add = product.c;
          if (rows.count * columns.count == 0) {
            if (begin == 0) fill(product);
            continue;
          }
          if (low >= high) continue;
          product.a +=
              (rows.source + low - rows.tap) * source.line() + columns.source * source.all_channels;
          product.b += low * row_floats + columns.tap * gemm.k * gemm.b_row;
          if (low > rows.tap) go_on(product);
          const bool ends = high == rows.tap + rows.count;
          multiply(product, high - low, columns.count, row_floats, relu && ends);
        }
      }
    }
  }

  void multiply(GemmF32Args& product, std::int64_t rows, std::int64_t columns,
                std::int64_t row_floats, bool with_relu) const {
    if (groups == 1) {  // the pixels of a line are one stretch of memory
      product.k *= columns;
      product.runs = rows;
      product.a_run = source.line();
      product.b_run = row_floats;
      product.relu = with_relu;
      kernels.gemm(product);
      return;
    }
    product.runs = columns;
    product.a_run = source.all_channels;
    product.b_run = product.k * product.b_row;
    for (std::int64_t row = 0; row < rows; ++row) {
      product.relu = with_relu && row + 1 == rows;
      kernels.gemm(product);
      go_on(product);
      product.a += source.line();
      product.b += row_floats;
    }
  }

  static void go_on(GemmF32Args& product) {
    product.init = product.c;
    product.init_row = product.c_row;
  }

  // A pixel without any tap.
  void fill(const GemmF32Args& product) const {
    for (std::int64_t i = 0; i < product.m; ++i) {
      float* c = product.c + i * product.c_row;
      for (std::int64_t j = 0; j < product.n; ++j) {
        const float value = product.init == nullptr ? 0.0f : product.init[j];
        c[j] = relu && !(value > 0.0f) && value == value ? 0.0f : value;
      }
    }
  }
};

}  // namespace octet::kernels
