#include "kernels/f32/bias_sums.h"
#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/conv2d_winners.h"
#include "kernels/f32/pack.h"
#include "kernels/f32/packed_weight_gradient.h"
#include "kernels/f32/strided_pixels.h"
#include "kernels/f32/tap_ranges.h"

namespace octet::kernels {
namespace {

// Where the rows of a product's a come from; its b is the other operand.
//   kPointwise  a: dy, b: x. The result is [out][in], as dw.
//   kLines      a: all taps of a pixel, from lines with padding; b: dy. The result is [taps][out].
//   kTaps       a: the channels of one tap, at the pixels where it is inside the image; b: dy. The
//               result is [groups][taps][out / groups].
enum class Form { kPointwise, kLines, kTaps };

Form form_of(const Conv2dShape& s) {
  return is_pointwise(s) ? Form::kPointwise : Lines::fit(s) ? Form::kLines : Form::kTaps;
}

// How the work is cut, a function of the shape alone: groups of output rows, whose partial sums are
// added in order, and blocks of output channels, which share nothing.
struct WeightPlan {
  const Conv2dShape& s;
  Form form;
  std::int64_t k, pixels, rows;  // taps; of a map row; of the whole batch
  std::int64_t chunk_rows;       // that are worked on while they are in cache
  std::int64_t groups, group_rows, block, blocks_per_group, blocks;

  explicit WeightPlan(const Conv2dShape& shape)
      : s(shape),
        form(form_of(shape)),
        k(shape.taps()),
        pixels(shape.out_width()),
        rows(shape.batch * shape.out_height()) {
    // A tile of the result is read and written once for each chunk, and where the result is beyond
    // L2 that costs more.
    const std::int64_t chunk_pixels = s.out * k > (1 << 18) ? 512 : 256;
    chunk_rows = form == Form::kLines ? Lines(s).band_rows
                                      : std::clamp<std::int64_t>(chunk_pixels / pixels, 1, rows);
    const RowGroups row_groups(s);
    groups = row_groups.count;
    group_rows = row_groups.group_rows;
    // At least 16 items where there can be so many; wide blocks read the other operand less often.
    const std::int64_t share = s.out * groups / 16 / 12 * 12;
    block = groups >= 8                ? s.out_per_group()
            : form == Form::kPointwise ? std::clamp<std::int64_t>(share, 12, 48)
                                       : kMaxPanelColumns;
    blocks_per_group = div_up(s.out_per_group(), block);
    blocks = s.groups * blocks_per_group;
  }

  bool direct() const { return groups == 1 && form == Form::kPointwise; }  // no partial sums
  std::int64_t partial_floats() const { return direct() ? 0 : whole_lines(groups * s.out * k); }
  std::int64_t line_floats() const { return form == Form::kLines ? Lines(s).buffer_floats() : 0; }
  // Output gradient of a chunk, or of the rest of a chunk of the bias' sums.
  std::int64_t gradient_floats() const {
    return whole_lines(std::max(chunk_rows, div_up(kChunkRows, pixels) + 2) * pixels * s.out);
  }
  // Where x and the output gradient are rounded to pairs of images chunk by chunk, both stay in L2.
  std::int64_t pair_chunk_rows() const {
    constexpr std::int64_t kFloats = 80 * 1024;
    return std::clamp<std::int64_t>(kFloats / ((k + s.out) * pixels), 1, chunk_rows);
  }
  std::int64_t pair_floats() const {
    return form == Form::kPointwise && blocks == 1 ? whole_lines(pair_chunk_rows() * pixels * k)
                                                   : 0;
  }
  std::int64_t buffer_floats() const { return line_floats() + gradient_floats() + pair_floats(); }

  // Calls body(image, oy, row, count) for the parts of output rows [first, last) that lie in one
  // image: `count` from row oy of it, which is `row` of the batch.
  template <class Body>
  void for_each_image(std::int64_t first, std::int64_t last, const Body& body) const {
    const std::int64_t height = s.out_height();
    for (std::int64_t row = first; row < last;) {
      const std::int64_t count = std::min(last - row, height - row % height);
      body(row / height, row % height, row, count);
      row += count;
    }
  }

  // The same with whole images together: body(image, images, oy, row, count).
  template <class Body>
  void for_each_images(std::int64_t first, std::int64_t last, const Body& body) const {
    const std::int64_t height = s.out_height();
    for (std::int64_t row = first; row < last;) {
      const std::int64_t whole = row % height == 0 ? (last - row) / height : 0;
      const std::int64_t images = std::max<std::int64_t>(1, whole);
      const std::int64_t count = whole > 0 ? height : std::min(last - row, height - row % height);
      body(row / height, images, row % height, row, count);
      row += images * count;
    }
  }
};

// Rows [first, last) of pairs of images, from `from`: float32 [pairs.extent images, height, width,
// channels].
void round_rows(const PairsOfFloats& pairs, const WeightPlan& plan, const float* from,
                std::int64_t channels, std::int64_t first, std::int64_t last, float* to) {
  const std::int64_t row = plan.pixels * channels, image_floats = plan.s.out_height() * row;
  plan.for_each_image(first, last, [&](auto pair, auto y, auto at, auto rows) {
    const float* even = from + 2 * pair * image_floats + y * row;
    const float* odd = 2 * pair + 1 < pairs.extent ? even + image_floats : nullptr;
    pairs.rows(rows * row, even, odd, to + (at - first) * row);
  });
}

// One item: a group of output rows and a block of output channels.
struct WeightItem {
  const F32Kernels& kernels;
  const WeightPlan& plan;
  const float* x;
  float* partial;               // the row group's
  float* line_buffer;           // of line_floats()
  std::int64_t group;           // of channels
  std::int64_t channel, width;  // of all output channels

  // Adds the products of output rows [first, last), whose gradient is `dy`; `next_dy`: that of the
  // rows up to `next` that come then, where it lies in place.
  void add(std::int64_t first, std::int64_t last, std::int64_t next, const Matrix& dy,
           GemmF32Args::Stretch next_dy) const {
    switch (plan.form) {
      case Form::kPointwise:
        return add_pointwise(
            last - first, x + first * plan.pixels * plan.k, dy,
            {x + last * plan.pixels * plan.k, (next - last) * plan.pixels * plan.k}, next_dy);
      case Form::kLines:
        return plan.for_each_image(first, last, [&](auto image, auto oy, auto row, auto rows) {
          add_lines(image, oy, rows,
                    {dy.first + (row - first) * plan.pixels * dy.stride, dy.stride});
        });
      case Form::kTaps:
        return plan.for_each_images(
            first, last, [&](auto image, auto images, auto oy, auto row, auto rows) {
              add_taps(image, images, oy, rows,
                       {dy.first + (row - first) * plan.pixels * dy.stride, dy.stride});
            });
    }
  }

  void clear() const {
    if (plan.form == Form::kPointwise) {
      std::fill_n(partial + channel * plan.k, width * plan.k, 0.0f);
      return;
    }
    const std::int64_t out = plan.s.out_per_group();
    for (std::int64_t row = 0; row < plan.k; ++row) {
      std::fill_n(partial + (group * plan.k + row) * out + channel - group * out, width, 0.0f);
    }
  }

  // The same for a convolution that is pointwise, from `rows` rows of x at `chunk`.
  void add_pointwise(std::int64_t rows, const float* chunk, const Matrix& dy,
                     GemmF32Args::Stretch next_x, GemmF32Args::Stretch next_dy) const {
    const std::int64_t k = plan.k;
    float* c = partial + channel * k;
    kernels.gemm({.m = width,
                  .n = k,
                  .k = rows * plan.pixels,
                  .a = dy.first,
                  .a_row = 1,
                  .a_col = dy.stride,
                  .b = chunk,
                  .b_row = k,
                  .init = c,
                  .init_row = k,
                  .c = c,
                  .c_row = k,
                  .next = next_dy,
                  .next_too = next_x});
  }

 private:
  void add_lines(std::int64_t image, std::int64_t oy, std::int64_t rows, const Matrix& dy) const {
    const Conv2dShape& s = plan.s;
    const Lines lines(s);
    float* c = partial + channel;
    kernels.gemm({.m = s.kernel_w * s.in,
                  .n = width,
                  .k = plan.pixels,
                  .a = lines.read(x + image * s.height * s.width * s.in, oy, rows, line_buffer),
                  .a_row = 1,
                  .a_col = s.stride * s.in,
                  .b = dy.first,
                  .b_row = dy.stride,
                  .init = c,
                  .init_row = s.out,
                  .c = c,
                  .c_row = s.out,
                  .runs = rows,
                  .a_run = s.stride * lines.line_floats,
                  .b_run = plan.pixels * dy.stride,
                  .row_groups = s.kernel_h,
                  .a_group = lines.line_floats});
  }

  // Output rows [oy, oy + rows) of each of `images` images; of several only whole ones.
  void add_taps(std::int64_t image, std::int64_t images, std::int64_t oy, std::int64_t rows,
                const Matrix& dy) const {
    const Conv2dShape& s = plan.s;
    const TapAxis vertical = vertical_axis(s), horizontal = horizontal_axis(s);
    const std::int64_t in = s.in_per_group(), out = s.out_per_group();
    for (std::int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
      const std::int64_t kh = tap / s.kernel_w, kw = tap % s.kernel_w;
      const auto [top, bottom] = vertical.outputs(kh);
      const auto [left, right] = horizontal.outputs(kw);
      const std::int64_t first = std::max(oy, top), last = std::min(oy + rows, bottom);
      if (first >= last || left >= right) continue;
      const std::int64_t iy = first * s.stride - s.padding + kh;
      const std::int64_t ix = left * s.stride - s.padding + kw;
      float* c = partial + (group * plan.k + tap * in) * out + channel - group * out;
      kernels.gemm({.m = in,
                    .n = width,
                    .k = right - left,
                    .a = x + ((image * s.height + iy) * s.width + ix) * s.in + group * in,
                    .a_row = 1,
                    .a_col = s.stride * s.in,
                    .b = dy.first + ((first - oy) * plan.pixels + left) * dy.stride,
                    .b_row = dy.stride,
                    .init = c,
                    .init_row = out,
                    .c = c,
                    .c_row = out,
                    .runs = last - first,
                    .a_run = s.stride * s.width * s.in,
                    .b_run = plan.pixels * dy.stride,
                    .run_groups = images,
                    .a_run_group = s.height * s.width * s.in,
                    .b_run_group = rows * plan.pixels * dy.stride});
    }
  }
};

// dw = the partial sums added in order; for the forms with dy as b also transposed.
void add_partials(const WeightPlan& plan, const float* partials, float* dw) {
  const Conv2dShape& s = plan.s;
  const std::int64_t size = s.out * plan.k, out = s.out_per_group();
  const auto sum = [&](std::int64_t i) {
    float total = partials[i];
    for (std::int64_t group = 1; group < plan.groups; ++group) total += partials[group * size + i];
    return total;
  };
  if (plan.form == Form::kPointwise) {
    constexpr std::int64_t kPiece = 4096;
    parallel_for(div_up(size, kPiece), [&](std::int64_t piece) {
      const std::int64_t end = std::min(size, (piece + 1) * kPiece);
      for (std::int64_t i = piece * kPiece; i < end; ++i) dw[i] = sum(i);
    });
    return;
  }
  constexpr std::int64_t kBlock = 16;  // a block of both sides stays in L1
  const std::int64_t blocks = div_up(plan.k, kBlock);
  parallel_for(s.groups * blocks, [&](std::int64_t item) {
    const std::int64_t g = item / blocks, first = item % blocks * kBlock;
    const std::int64_t last = std::min(plan.k, first + kBlock);
    for (std::int64_t o = 0; o < out; o += kBlock) {
      for (std::int64_t i = first; i < last; ++i) {
        for (std::int64_t j = o; j < std::min(out, o + kBlock); ++j) {
          dw[(g * out + j) * plan.k + i] = sum((g * plan.k + i) * out + j);
        }
      }
    }
  });
}

}  // namespace

bool weight_gradient_takes_floats(const F32Kernels& kernels, const Conv2dShape& s,
                                  OutputGradient gradient) {
  return GradientRows::in_place(gradient) && !packs_weight_gradient(kernels, s) &&
         WeightPlan(s).pair_floats() > 0;
}

std::size_t conv2d_weight_gradient_scratch_floats(const Conv2dShape& shape) {
  if (StridedPixels::fit(shape)) {
    const StridedPixels pixels{shape};
    return std::max(static_cast<std::size_t>(pixels.floats()) +
                        conv2d_weight_gradient_scratch_floats(pixels.pointwise()),
                    Lines::fit(shape) ? winners_weight_gradient_scratch_floats(shape) : 0);
  }
  const WeightPlan plan(shape);
  const std::size_t in_place =
      static_cast<std::size_t>(plan.partial_floats() + bias_sums_floats(shape)) +
      workers() * static_cast<std::size_t>(plan.buffer_floats());
  const std::size_t winners =
      Lines::fit(shape) ? winners_weight_gradient_scratch_floats(shape) : std::size_t{0};
  return std::max({in_place, packed_weight_gradient_scratch_floats(shape),
                   conv2d_bias_gradient_scratch_floats(shape), winners});
}

void conv2d_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                            OutputGradient gradient, float* dw, float* scratch, float* db,
                            PairsOfFloats pairs) {
  if (takes_winners(s, gradient)) {
    winners_weight_gradient(kernels, s, x, gradient, dw, scratch, db);
    return;
  }
  if (StridedPixels::fit(s)) {
    const StridedPixels pixels{s};
    pixels.gather(x, scratch);
    conv2d_weight_gradient(kernels, pixels.pointwise(), scratch, gradient, dw,
                           scratch + pixels.floats(), db);
    return;
  }
  if (packs_weight_gradient(kernels, s)) {
    if (db != nullptr) conv2d_bias_gradient(kernels, s, gradient, db, scratch);
    packed_weight_gradient(kernels, s, x, gradient, dw, scratch);
    return;
  }
  const WeightPlan plan(s);
  const GradientRows gradient_rows{kernels, s, gradient};
  float* partials = plan.direct() ? dw : scratch;
  float* sums = scratch + plan.partial_floats();
  float* buffers = sums + bias_sums_floats(s);
  parallel_for_workers(plan.groups * plan.blocks, [&](std::int64_t item, int worker) {
    const std::int64_t row_group = item / plan.blocks, block = item % plan.blocks;
    const std::int64_t g = block / plan.blocks_per_group, out = s.out_per_group();
    const std::int64_t channel = g * out + block % plan.blocks_per_group * plan.block;
    const std::int64_t width = std::min(plan.block, (g + 1) * out - channel);
    float* buffer = buffers + worker * plan.buffer_floats();
    float* dy_buffer = buffer + plan.line_floats();
    const WeightItem products{kernels, plan, x,       partials + row_group * s.out * plan.k,
                              buffer,  g,    channel, width};
    products.clear();
    const std::int64_t begin = row_group * plan.group_rows;
    const std::int64_t end = std::min(plan.rows, begin + plan.group_rows);
    // Pixels of the chunks of `sums` that start here; the last one may go on beyond.
    const std::int64_t pixels = plan.pixels;
    const std::int64_t sum_begin = chunk_count(begin * pixels) * kChunkRows;
    const std::int64_t sum_end =
        std::min(plan.rows * pixels, chunk_count(end * pixels) * kChunkRows);
    const auto add_to_sums = [&](std::int64_t first, std::int64_t last, const Matrix& dy) {
      const std::int64_t from = std::max(sum_begin, first * pixels);
      const std::int64_t to = std::min(sum_end, last * pixels);
      if (db == nullptr || from >= to) return;
      const Matrix rest = {dy.first + (from - first * pixels) * dy.stride, dy.stride};
      add_to_chains(kernels, s, rest, from, to, width, sums + channel);
    };
    if (pairs.extent > 0) {
      float* x_buffer = dy_buffer + plan.gradient_floats();
      for (std::int64_t first = begin; first < end; first += plan.pair_chunk_rows()) {
        const std::int64_t last = std::min(end, first + plan.pair_chunk_rows());
        round_rows(pairs, plan, x, plan.k, first, last, x_buffer);
        round_rows(pairs, plan, gradient.dy, s.out, first, last, dy_buffer);
        products.add_pointwise(last - first, x_buffer, {dy_buffer, s.out}, {}, {});
      }
      return;
    }
    for (std::int64_t first = begin; first < end; first += plan.chunk_rows) {
      const std::int64_t last = std::min(end, first + plan.chunk_rows);
      const Matrix dy = gradient_rows.read(first, last, channel, width, dy_buffer);
      add_to_sums(first, last, dy);
      const std::int64_t next = std::min(end, last + plan.chunk_rows), row = pixels * s.out;
      const bool in_place = GradientRows::in_place(gradient);
      products.add(first, last, next, dy,
                   {gradient.dy + (in_place ? last * row : 0), in_place ? (next - last) * row : 0});
    }
    const std::int64_t beyond = div_up(sum_end, pixels);
    if (db == nullptr || end >= beyond) return;
    add_to_sums(end, beyond, gradient_rows.read(end, beyond, channel, width, dy_buffer));
  });
  if (db != nullptr) finish_bias_sums(s, sums, db);
  if (!plan.direct()) add_partials(plan, partials, dw);
}

}  // namespace octet::kernels
