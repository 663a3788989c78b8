#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/conv2d_winners.h"
#include "kernels/f32/strided_pixels.h"
#include "kernels/f32/tap_product.h"

namespace octet::kernels {
namespace {

// How the data gradient is cut: blocks of images, and bands of rows of their maps.
struct DataGradientPlan {
  Conv2dShape s;  // a pointwise convolution without a pool sees each pixel as an image
  std::int64_t images, band, bands;  // of a block, at most
  ImageBlocks blocks{1, 1};

  DataGradientPlan(const Conv2dShape& shape, OutputGradient gradient) : s(shape) {
    const bool masked = !GradientRows::in_place(gradient);
    if (is_pointwise(s) && gradient.cells == nullptr) {
      s.batch *= s.height * s.width;
      s.height = s.width = 1;
    }
    const bool pixels = s.height * s.width == 1;
    const std::int64_t share = div_up(s.batch, 16);
    images = std::min(s.batch, pixels                   ? std::clamp<std::int64_t>(share, 16, 192)
                               : s.in_per_group() <= 32 ? 12
                                                        : 6);
    blocks = ImageBlocks(s.batch, images);
    // A masked gradient is written once for all rows of its images.
    band = masked ? s.height : std::clamp<std::int64_t>(32 / s.width, 1, s.height);
    bands = div_up(s.height, band);
  }

  std::int64_t packed_group() const {
    return packed_room(s.in_per_group(), s.kernel_h * s.kernel_w * s.out_per_group());
  }
  std::int64_t image_floats() const { return s.out_height() * s.out_width() * s.out; }
  std::int64_t buffer_floats() const { return whole_lines(images * image_floats()); }
};

// weight [out / groups, kernel_h, kernel_w, in / groups] of each group becomes the panels of
// TapProduct, with the taps in the order of TapAxis::gradient_tap.
void pack_for_gradient(const DataGradientPlan& plan, std::int64_t panel_columns,
                       const float* weight, float* packed) {
  const Conv2dShape& s = plan.s;
  const std::int64_t k = s.out_per_group(), n = s.in_per_group();
  const TapAxis vertical = vertical_axis(s), horizontal = horizontal_axis(s);
  const Panels panels{n, panel_columns};
  const std::int64_t taps = s.kernel_h * s.kernel_w, per_group = panels.count() * taps;
  parallel_for(s.groups * per_group, [&](std::int64_t item) {
    const std::int64_t g = item / per_group, panel = item % per_group / taps, tap = item % taps;
    const std::int64_t kh = vertical.gradient_tap(tap / s.kernel_w);
    const std::int64_t kw = horizontal.gradient_tap(tap % s.kernel_w);
    const std::int64_t column = panels.first(panel), width = panels.width(panel);
    const std::int64_t count = panels.used(panel);
    const float* from = weight + (g * k * taps + kh * s.kernel_w + kw) * n + column;
    float* to = packed + g * plan.packed_group() + column * taps * k + tap * k * width;
    for (std::int64_t i = 0; i < k; ++i, from += taps * n, to += width) {
      std::copy_n(from, count, to);
      std::fill(to + count, to + width, 0.0f);
    }
  });
}

}  // namespace

bool data_gradient_adds(const Conv2dShape& shape) { return is_pointwise(shape); }

bool data_gradient_takes_floats(const Conv2dShape& shape, OutputGradient gradient) {
  return is_pointwise(shape) && GradientRows::in_place(gradient) &&
         DataGradientPlan(shape, gradient).buffer_floats() <= kMostPairFloats;
}

std::size_t conv2d_data_gradient_scratch_floats(const Conv2dShape& shape, OutputGradient gradient) {
  if (takes_winners(shape, gradient)) return winners_data_gradient_scratch_floats(shape);
  if (StridedPixels::fit(shape)) {
    const StridedPixels pixels{shape};
    return static_cast<std::size_t>(pixels.floats()) +
           conv2d_data_gradient_scratch_floats(pixels.pointwise(), gradient);
  }
  const bool in_place = GradientRows::in_place(gradient);
  const DataGradientPlan plan(shape, gradient);
  const std::int64_t buffer = in_place && !is_pointwise(shape) ? 0 : plan.buffer_floats();
  return static_cast<std::size_t>(shape.groups * plan.packed_group()) +
         workers() * static_cast<std::size_t>(buffer);
}

void conv2d_data_gradient(const F32Kernels& kernels, const Conv2dShape& shape,
                          OutputGradient gradient, const float* weight, float* dx, float* scratch,
                          bool add, PairsOfFloats pairs) {
  if (takes_winners(shape, gradient)) {
    winners_data_gradient(kernels, shape, gradient, weight, dx, scratch);
    return;
  }
  if (StridedPixels::fit(shape)) {
    const StridedPixels pixels{shape};
    conv2d_data_gradient(kernels, pixels.pointwise(), gradient, weight, scratch,
                         scratch + pixels.floats());
    pixels.scatter(scratch, dx);
    return;
  }
  const bool in_place = GradientRows::in_place(gradient);
  const DataGradientPlan plan(shape, gradient);
  const Conv2dShape& s = plan.s;
  pack_for_gradient(plan, kernels.panel_columns, weight, scratch);
  TapProduct product = TapProduct::data_gradient(kernels, s, scratch);
  product.add = add;
  const GradientRows rows{kernels, s, gradient};
  const std::int64_t dx_image = s.height * s.width * s.in, height = s.out_height();
  const std::int64_t dy_image = pairs.extent > 0 ? pairs.extent : plan.image_floats();
  float* buffers = scratch + s.groups * plan.packed_group();
  parallel_for_workers(plan.blocks.count * plan.bands, [&](std::int64_t item, int worker) {
    const std::int64_t block = item / plan.bands, image = plan.blocks.first(block);
    const std::int64_t images = plan.blocks.images(block);
    const std::int64_t first = item % plan.bands * plan.band;
    const std::int64_t last = std::min(s.height, first + plan.band);
    float* buffer =
        in_place && pairs.extent == 0 ? nullptr : buffers + worker * plan.buffer_floats();
    const float* dy = buffer;
    if (pairs.extent > 0) {
      pairs.columns(images, pairs.extent, gradient.dy + image * dy_image, buffer);
    } else {
      dy = rows.read(image * height, (image + images) * height, 0, s.out, buffer).first;
    }
    const std::int64_t next = in_place ? plan.blocks.images(block + 1) : 0;
    product.run(dy, dx + image * dx_image + first * s.width * s.in, dx_image, images,
                {gradient.dy + (in_place ? image + images : 0) * dy_image, next * dy_image}, first,
                last);
  });
}

}  // namespace octet::kernels
