#include "kernels/bf16/conv2d.h"

#include <cassert>

#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/strided_pixels.h"

namespace octet::kernels {
namespace {

constexpr std::int64_t kPieceFloats = 16384;  // that are rounded at a time

constexpr std::int64_t pairs_of(std::int64_t count) { return div_up(count, 2); }

std::int64_t map_rows(const Conv2dShape& s) { return s.batch * s.out_height(); }
std::int64_t row_floats(const Conv2dShape& s) { return s.out_width() * s.out; }

// The float32 kernels of the same instruction set, with products of pairs.
F32Kernels pair_kernels(const Bf16Kernels& kernels) {
  F32Kernels pairs = select_f32_kernels(kernels.isa);
  pairs.panel_columns = kernels.panel_columns;
  pairs.gemm = kernels.gemm;
  return pairs;
}

PairsOfFloats pairs_of_floats(const Bf16Kernels& kernels, std::int64_t extent) {
  return {kernels.pair_rows, kernels.pair_columns, extent};
}

// The shape in pairs of the extent that a pass sums over.
Conv2dShape forward_shape(Conv2dShape s) {
  s.in = pairs_of(s.in);
  return s;
}
Conv2dShape data_gradient_shape(Conv2dShape s) {
  s.out = pairs_of(s.out);
  return s;
}
Conv2dShape weight_gradient_shape(Conv2dShape s) {
  s.batch = pairs_of(s.batch);
  return s;
}

// pair_columns of a whole tensor, on all threads.
void pair_all_columns(const Bf16Kernels& kernels, std::int64_t rows, std::int64_t columns,
                      const float* x, float* pairs) {
  const std::int64_t piece = std::max<std::int64_t>(1, kPieceFloats / columns);
  parallel_for(div_up(rows, piece), [&](std::int64_t item) {
    const std::int64_t first = item * piece, count = std::min(piece, rows - first);
    kernels.pair_columns(count, columns, x + first * columns, pairs + first * pairs_of(columns));
  });
}

// Matrix rows 2 i and 2 i + 1 become row i of pairs: [rows, columns] -> [pairs_of(rows), columns].
void pair_all_rows(const Bf16Kernels& kernels, std::int64_t rows, std::int64_t columns,
                   const float* x, float* pairs) {
  const std::int64_t pieces = div_up(columns, kPieceFloats);
  parallel_for(pairs_of(rows) * pieces, [&](std::int64_t item) {
    const std::int64_t row = item / pieces, first = item % pieces * kPieceFloats;
    const float* even = x + 2 * row * columns + first;
    kernels.pair_rows(std::min(kPieceFloats, columns - first), even,
                      2 * row + 1 < rows ? even + columns : nullptr, pairs + row * columns + first);
  });
}

// The rows of the output gradient that are masked and rounded at a time.
std::int64_t gradient_band(const Conv2dShape& s) {
  return std::clamp<std::int64_t>(kPieceFloats / row_floats(s), 1, s.out_height());
}
std::int64_t gradient_buffer(const Conv2dShape& s, std::int64_t images) {
  return images * whole_lines(gradient_band(s) * row_floats(s));
}

// The output gradient in pairs of channels.
void pair_gradient_channels(const Bf16Kernels& kernels, const Conv2dShape& s,
                            OutputGradient gradient, float* pairs, float* buffers) {
  const GradientRows rows{select_f32_kernels(kernels.isa), s, gradient};
  const std::int64_t band = gradient_band(s), width = s.out_width();
  parallel_for_workers(div_up(map_rows(s), band), [&](std::int64_t item, int worker) {
    const std::int64_t first = item * band, last = std::min(map_rows(s), first + band);
    const Matrix dy = rows.read(first, last, 0, s.out, buffers + worker * gradient_buffer(s, 1));
    kernels.pair_columns((last - first) * width, s.out, dy.first,
                         pairs + first * width * pairs_of(s.out));
  });
}

// The output gradient in pairs of images.
void pair_gradient_images(const Bf16Kernels& kernels, const Conv2dShape& s, OutputGradient gradient,
                          float* pairs, float* buffers) {
  const GradientRows rows{select_f32_kernels(kernels.isa), s, gradient};
  const std::int64_t height = s.out_height(), band = gradient_band(s), bands = div_up(height, band);
  parallel_for_workers(pairs_of(s.batch) * bands, [&](std::int64_t item, int worker) {
    const std::int64_t pair = item / bands, image = 2 * pair;
    const std::int64_t first = item % bands * band, count = std::min(band, height - first);
    float* buffer = buffers + worker * gradient_buffer(s, 2);
    const auto read = [&](std::int64_t n, float* to) {
      return rows.read(n * height + first, n * height + first + count, 0, s.out, to).first;
    };
    const float* even = read(image, buffer);
    const float* odd =
        image + 1 < s.batch ? read(image + 1, buffer + gradient_buffer(s, 1)) : nullptr;
    kernels.pair_rows(count * row_floats(s), even, odd,
                      pairs + (pair * height + first) * row_floats(s));
  });
}

// Scratch of a pass: its two operands in pairs, buffers, and what the float32 code asks for.
struct Parts {
  std::int64_t data, other, buffers;  // floats; buffers: of one thread

  std::size_t floats(std::size_t rest) const {
    return static_cast<std::size_t>(data + other) + workers() * static_cast<std::size_t>(buffers) +
           rest;
  }
  float* other_in(float* scratch) const { return scratch + data; }
  float* buffers_in(float* scratch) const { return scratch + data + other; }
  float* rest_in(float* scratch) const { return scratch + floats(0); }
};

Parts forward_parts(const Conv2dShape& s, ConvolutionTail tail) {
  const std::int64_t in = pairs_of(s.in), taps = s.kernel_h * s.kernel_w;
  const bool whole = !forward_takes_floats(forward_shape(s), tail);
  return {whole ? whole_lines(s.batch * s.height * s.width * in) : 0,
          whole_lines(s.out * taps * in), 0};
}
Parts data_gradient_parts(const Conv2dShape& s, OutputGradient gradient) {
  const std::int64_t out = pairs_of(s.out);
  const bool whole = !data_gradient_takes_floats(data_gradient_shape(s), gradient);
  return {whole ? whole_lines(map_rows(s) * s.out_width() * out) : 0, whole_lines(out * s.taps()),
          whole ? gradient_buffer(s, 1) : 0};
}
Parts weight_gradient_parts(const Conv2dShape& s) {
  const std::int64_t images = pairs_of(s.batch);
  return {whole_lines(images * s.height * s.width * s.in),
          whole_lines(images * s.out_height() * row_floats(s)), gradient_buffer(s, 2)};
}

}  // namespace

std::size_t bf16_conv2d_forward_scratch_floats(const Conv2dShape& s, ConvolutionTail tail) {
  if (StridedPixels::fit(s)) {
    const StridedPixels pixels{s};
    return static_cast<std::size_t>(pixels.floats()) +
           bf16_conv2d_forward_scratch_floats(pixels.pointwise(), tail);
  }
  return forward_parts(s, tail).floats(conv2d_forward_scratch_floats(forward_shape(s), tail));
}

void bf16_conv2d_forward(const Bf16Kernels& kernels, const Conv2dShape& s, const float* x,
                         const float* weight, const float* bias, float* y, float* scratch,
                         ConvolutionTail tail) {
  assert(s.groups == 1);
  if (StridedPixels::fit(s)) {
    const StridedPixels pixels{s};
    pixels.gather(x, scratch);
    bf16_conv2d_forward(kernels, pixels.pointwise(), scratch, weight, bias, y,
                        scratch + pixels.floats(), tail);
    return;
  }
  const Parts parts = forward_parts(s, tail);
  const Conv2dShape shape = forward_shape(s);
  float* weight_pairs = parts.other_in(scratch);
  PairsOfFloats pairs;
  if (forward_takes_floats(shape, tail)) {
    pairs = pairs_of_floats(kernels, s.in);
  } else {
    pair_all_columns(kernels, s.batch * s.height * s.width, s.in, x, scratch);
    x = scratch;
  }
  pair_all_columns(kernels, s.out * s.kernel_h * s.kernel_w, s.in, weight, weight_pairs);
  conv2d_forward(pair_kernels(kernels), shape, x, weight_pairs, bias, y, parts.rest_in(scratch),
                 tail, pairs);
}

std::size_t bf16_conv2d_data_gradient_scratch_floats(const Conv2dShape& s,
                                                     OutputGradient gradient) {
  if (StridedPixels::fit(s)) {
    const StridedPixels pixels{s};
    return static_cast<std::size_t>(pixels.floats()) +
           bf16_conv2d_data_gradient_scratch_floats(pixels.pointwise(), gradient);
  }
  const float* in_place = nullptr;
  return data_gradient_parts(s, gradient)
      .floats(conv2d_data_gradient_scratch_floats(data_gradient_shape(s), in_place));
}

void bf16_conv2d_data_gradient(const Bf16Kernels& kernels, const Conv2dShape& s,
                               OutputGradient gradient, const float* weight, float* dx,
                               float* scratch, bool add) {
  assert(s.groups == 1);
  if (StridedPixels::fit(s)) {
    const StridedPixels pixels{s};
    bf16_conv2d_data_gradient(kernels, pixels.pointwise(), gradient, weight, scratch,
                              scratch + pixels.floats());
    pixels.scatter(scratch, dx);
    return;
  }
  const Parts parts = data_gradient_parts(s, gradient);
  const Conv2dShape shape = data_gradient_shape(s);
  float* weight_pairs = parts.other_in(scratch);
  PairsOfFloats pairs;
  if (data_gradient_takes_floats(shape, gradient)) {
    pairs = pairs_of_floats(kernels, s.out);
  } else {
    pair_gradient_channels(kernels, s, gradient, scratch, parts.buffers_in(scratch));
    gradient = scratch;
  }
  pair_all_rows(kernels, s.out, s.taps(), weight, weight_pairs);
  conv2d_data_gradient(pair_kernels(kernels), shape, gradient, weight_pairs, dx,
                       parts.rest_in(scratch), add, pairs);
}

std::size_t bf16_conv2d_weight_gradient_scratch_floats(const Conv2dShape& s) {
  if (StridedPixels::fit(s)) {
    const StridedPixels pixels{s};
    return static_cast<std::size_t>(pixels.floats()) +
           bf16_conv2d_weight_gradient_scratch_floats(pixels.pointwise());
  }
  return std::max(weight_gradient_parts(s).floats(
                      conv2d_weight_gradient_scratch_floats(weight_gradient_shape(s))),
                  conv2d_bias_gradient_scratch_floats(s));
}

void bf16_conv2d_weight_gradient(const Bf16Kernels& kernels, const Conv2dShape& s, const float* x,
                                 OutputGradient gradient, float* dw, float* scratch, float* db) {
  assert(s.groups == 1);
  if (StridedPixels::fit(s)) {
    const StridedPixels pixels{s};
    pixels.gather(x, scratch);
    bf16_conv2d_weight_gradient(kernels, pixels.pointwise(), scratch, gradient, dw,
                                scratch + pixels.floats(), db);
    return;
  }
  if (db != nullptr) {
    conv2d_bias_gradient(select_f32_kernels(kernels.isa), s, gradient, db, scratch);
  }
  const Parts parts = weight_gradient_parts(s);
  const Conv2dShape shape = weight_gradient_shape(s);
  const F32Kernels multiply = pair_kernels(kernels);
  PairsOfFloats pairs;
  if (weight_gradient_takes_floats(multiply, shape, gradient)) {
    pairs = pairs_of_floats(kernels, s.batch);
  } else {
    float* gradient_pairs = parts.other_in(scratch);
    pair_all_rows(kernels, s.batch, s.height * s.width * s.in, x, scratch);
    pair_gradient_images(kernels, s, gradient, gradient_pairs, parts.buffers_in(scratch));
    x = scratch;
    gradient = gradient_pairs;
  }
  conv2d_weight_gradient(multiply, shape, x, gradient, dw, parts.rest_in(scratch), nullptr, pairs);
}

}  // namespace octet::kernels
