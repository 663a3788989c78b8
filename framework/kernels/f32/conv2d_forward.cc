#include <cassert>

#include "kernels/f32/chunk_statistics.h"
#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/strided_pixels.h"
#include "kernels/f32/tap_product.h"

namespace octet::kernels {
namespace {

// How the work is cut: blocks of images and bands of rows of their result. A function of the shape
// alone.
struct ForwardPlan {
  Conv2dShape s;  // a pointwise convolution without a tail sees each pixel as an image
  bool from_lines;
  bool by_planes;                    // rows of the result as [out, width]: pixels in the lanes
  std::int64_t images, band, bands;  // of a block, at most
  ImageBlocks blocks{1, 1};

  ForwardPlan(const Conv2dShape& shape, bool halve)
      : s(shape),
        from_lines(Lines::fit(shape)),
        by_planes(from_lines && halve && s.in == 1 && s.stride == 1 && s.out <= kMostPlanes) {
    if (is_pointwise(s) && !halve) {
      s.batch *= s.height * s.width;
      s.height = s.width = 1;
    }
    const std::int64_t height = s.out_height();
    if (from_lines) {
      const Lines lines(shape);
      images = 1;
      band = lines.band_rows;
    } else if (height * s.out_width() == 1) {
      images = std::clamp<std::int64_t>(div_up(s.batch, 16), 16, 192);
      band = 1;
    } else {
      images = s.out_per_group() <= 32 ? 12 : 6;
      band = std::clamp<std::int64_t>(32 / s.out_width() / 2 * 2, 2, height + height % 2);
    }
    blocks = ImageBlocks(s.batch, images);
    bands = div_up(height, band);
  }

  // Of packed weights, or of the bias of each pixel of a row.
  std::int64_t weight_floats() const {
    return by_planes ? whole_lines(s.out * s.out_width())
                     : s.groups * packed_room(s.out_per_group(), s.taps());
  }
  std::int64_t line_floats() const { return from_lines ? Lines(s).buffer_floats() : 0; }
  // The rows of a band of one image, before the pool.
  std::int64_t band_floats() const { return whole_lines(band * s.out_width() * s.out); }
  // Of a block's pixels, where they are rounded to pairs.
  std::int64_t pair_floats() const { return is_pointwise(s) ? whole_lines(images * s.in) : 0; }
  std::int64_t buffer_floats(bool halve) const {
    return line_floats() + (halve ? images * band_floats() : pair_floats());
  }
};

// Rows [first, first + rows) of the result of one image, from the image's lines.
void rows_from_lines(const F32Kernels& kernels, const ForwardPlan& plan, const float* image,
                     const float* packed, const float* bias, bool relu, std::int64_t first,
                     std::int64_t rows, float* y, float* buffer) {
  const Conv2dShape& s = plan.s;
  const Lines lines(s);
  const float* from = lines.read(image, first, rows, buffer);
  const Panels panels{s.out, kernels.panel_columns};
  for (std::int64_t panel = 0; panel < panels.count(); ++panel) {
    const std::int64_t column = panels.first(panel);
    GemmF32Args gemm = {.m = s.out_width(),
                        .n = panels.used(panel),
                        .k = s.kernel_w * s.in,
                        .a = from,
                        .a_row = s.stride * s.in,
                        .a_col = 1,
                        .b = packed + column * s.taps(),
                        .b_row = panels.width(panel),
                        .init = bias == nullptr ? nullptr : bias + column,
                        .c = y + column,
                        .c_row = s.out,
                        .runs = s.kernel_h,
                        .a_run = lines.line_floats,
                        .relu = relu};
    gemm.b_run = gemm.k * gemm.b_row;
    for (std::int64_t row = 0; row < rows; ++row) {
      kernels.gemm(gemm);
      gemm.a += s.stride * lines.line_floats;
      gemm.c += s.out_width() * s.out;
    }
  }
}

// The same as [out, width]: with few channels, of an image that has one, most lanes would be empty.
//   bias: [out, width], or null
void planes_from_lines(const F32Kernels& kernels, const ForwardPlan& plan, const float* image,
                       const float* weight, const float* bias, bool relu, std::int64_t first,
                       std::int64_t rows, float* y, float* buffer) {
  const Conv2dShape& s = plan.s;
  const Lines lines(s);
  const std::int64_t width = s.out_width();
  GemmF32Args gemm = {.m = s.out,
                      .n = width,
                      .k = s.kernel_w,
                      .a = weight,
                      .a_row = s.taps(),
                      .a_col = 1,
                      .b = lines.read(image, first, rows, buffer),
                      .b_row = 1,
                      .init = bias,
                      .init_row = width,
                      .c = y,
                      .c_row = width,
                      .runs = s.kernel_h,
                      .a_run = s.kernel_w,
                      .b_run = lines.line_floats,
                      .relu = relu};
  for (std::int64_t row = 0; row < rows; ++row) {
    kernels.gemm(gemm);
    gemm.b += lines.line_floats;
    gemm.c += s.out * width;
  }
}

}  // namespace

bool forward_takes_floats(const Conv2dShape& shape, ConvolutionTail tail) {
  return is_pointwise(shape) && !tail.halve &&
         ForwardPlan(shape, false).pair_floats() <= kMostPairFloats;
}

std::size_t conv2d_forward_scratch_floats(const Conv2dShape& shape, ConvolutionTail tail) {
  if (StridedPixels::fit(shape)) {
    const StridedPixels pixels{shape};
    return static_cast<std::size_t>(pixels.floats()) +
           conv2d_forward_scratch_floats(pixels.pointwise(), tail);
  }
  const ForwardPlan plan(shape, tail.halve);
  return static_cast<std::size_t>(plan.weight_floats()) +
         workers() * static_cast<std::size_t>(plan.buffer_floats(tail.halve));
}

void conv2d_forward(const F32Kernels& kernels, const Conv2dShape& shape, const float* x,
                    const float* weight, const float* bias, float* y, float* scratch,
                    ConvolutionTail tail, PairsOfFloats pairs) {
  if (StridedPixels::fit(shape)) {
    const StridedPixels pixels{shape};
    pixels.gather(x, scratch);
    conv2d_forward(kernels, pixels.pointwise(), scratch, weight, bias, y, scratch + pixels.floats(),
                   tail);
    return;
  }
  const ForwardPlan plan(shape, tail.halve);
  const Conv2dShape& s = plan.s;
  const std::int64_t n = s.out_per_group(), packed_group = packed_room(n, s.taps());
  for (std::int64_t g = 0; g < s.groups && !plan.by_planes; ++g) {
    pack_transposed(weight + g * n * s.taps(), {n, kernels.panel_columns}, s.taps(),
                    scratch + g * packed_group);
  }
  for (std::int64_t i = 0; i < s.out && plan.by_planes && bias != nullptr; ++i) {
    std::fill_n(scratch + i * s.out_width(), s.out_width(), bias[i]);
  }
  TapProduct product = TapProduct::forward(kernels, s, scratch);
  product.bias = bias;
  product.relu = tail.relu;
  const std::int64_t height = s.out_height(), width = s.out_width(), row = width * s.out;
  const std::int64_t x_image = pairs.extent > 0 ? pairs.extent : s.height * s.width * s.in;
  const std::int64_t y_image = height * row;
  float* buffers = scratch + plan.weight_floats();
  assert(tail.statistics == nullptr || !tail.halve);
  ChunkStatistics statistics(kernels, {s.batch * height * width, s.out}, y, tail.statistics);
  parallel_for_workers(plan.blocks.count * plan.bands, [&](std::int64_t item, int worker) {
    const std::int64_t block = item / plan.bands, image = plan.blocks.first(block);
    const std::int64_t images = plan.blocks.images(block);
    const std::int64_t first = item % plan.bands * plan.band;
    const std::int64_t rows = std::min(plan.band, height - first);
    float* buffer = buffers + worker * plan.buffer_floats(tail.halve);
    // Before the pool the band's rows of the images follow each other in the buffer.
    float* result = tail.halve ? buffer + plan.line_floats() : y + image * y_image + first * row;
    if (plan.by_planes) {
      planes_from_lines(kernels, plan, x + image * x_image, weight,
                        bias == nullptr ? nullptr : scratch, tail.relu, first, rows, result,
                        buffer);
    } else if (plan.from_lines) {
      rows_from_lines(kernels, plan, x + image * x_image, scratch, bias, tail.relu, first, rows,
                      result, buffer);
    } else {
      const float* from = x + image * x_image;
      const float* next = from + images * x_image;
      if (pairs.extent > 0) {
        pairs.columns(images, pairs.extent, from, buffer);
        from = buffer;
      }
      product.run(from, result, tail.halve ? plan.band_floats() : y_image, images,
                  {next, plan.blocks.images(block + 1) * x_image}, first, first + rows);
    }
    if (rows == height) {  // whole maps follow each other
      statistics.wrote(image * height * width, images * height * width);
    } else {
      for (std::int64_t i = image; i < image + images; ++i) {
        statistics.wrote((i * height + first) * width, rows * width);
      }
    }
    if (!tail.halve) return;
    const std::int64_t pooled_row = width / 2 * s.out;
    for (std::int64_t i = 0; i < images; ++i) {
      const std::int64_t to = ((image + i) * (height / 2) + first / 2) * pooled_row;
      const auto halve = plan.by_planes ? kernels.halve_planes : kernels.halve;
      halve(rows / 2, width, s.out, result + i * plan.band_floats(), y + to,
            tail.cells == nullptr ? nullptr : tail.cells + to);
    }
  });
}

}  // namespace octet::kernels
