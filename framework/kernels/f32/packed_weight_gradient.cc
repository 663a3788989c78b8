#include "kernels/f32/packed_weight_gradient.h"

#include <span>

#include "kernels/f32/packed_weight_gradient_plan.h"
#include "kernels/f32/tap_ranges.h"

namespace octet::kernels {
namespace {

constexpr std::int64_t kTile = PackedRows::kTile, kColumns = PackedPanels::kColumns;

// One tap's pixels in the packed operands: runs of `length` in groups, and from each run and
// group to the next.
struct TapPixels {
  std::int64_t length = 0, runs = 1, groups = 1;
  std::int64_t row = 0, row_run = 0, row_group = 0;
  std::int64_t panel = 0, panel_run = 0, panel_group = 0;
};

// Memory that will be packed soon, in the order in which the products prefetch its lines: it comes
// from far away, and packing alone would wait for it.
class Ahead {
 public:
  void add(const Matrix& from, std::int64_t columns, std::int64_t pixels) {
    if (pixels > 0) parts_[count_++] = {from, div_up(columns, kLine), pixels};
  }

  // Gives the product its share, as many lines as it prefetches.
  void hand_to(GemmF32Args& gemm) {
    if (at_ == count_) {
      gemm.next = {};
      return;
    }
    const Part& part = parts_[at_];
    const std::int64_t lines =
        gemm.run_groups * gemm.runs * (gemm.k / GemmF32Args::kNarrowLinksPerLine);
    gemm.next = {part.from.first + line_ * kLine + pixel_ * part.from.stride, kLine};
    gemm.next_step = part.from.stride;
    pixel_ += lines;
    if (pixel_ < part.pixels) return;
    pixel_ = 0;
    if (++line_ < part.lines) return;
    line_ = 0;
    ++at_;
  }

 private:
  static constexpr std::int64_t kLine = 16;
  struct Part {
    Matrix from;
    std::int64_t lines, pixels;  // of a pixel
  };
  Part parts_[2] = {};
  int count_ = 0, at_ = 0;
  std::int64_t line_ = 0, pixel_ = 0;
};

// One item: a group of output rows, a group of channels, and some of its panels.
struct PackedItem {
  const F32Kernels& kernels;
  const PackedPlan& plan;
  const float* x;
  float* partial;  // its first panel's
  float *rows_buffer, *panels_buffer;
  std::int64_t group;                  // of channels
  std::int64_t first_column, columns;  // of the panel operand
  bool fresh = true;  // nothing is added yet, and what lies in partial does not matter

  // Adds the products of output rows [first, last), whose gradient's channels, those of the item,
  // are `dy`. The rows up to `next` come then.
  void add(std::int64_t first, std::int64_t last, std::int64_t next, const Matrix& dy) {
    const Conv2dShape& s = plan.s;
    if (is_pointwise(s)) {
      const std::int64_t pixels = (last - first) * plan.pixels;
      const Matrix source = {x + first * plan.pixels * s.in, s.in};
      const Matrix& row_operand = plan.swapped ? dy : source;
      const Matrix& panel_operand = plan.swapped ? source : dy;
      PackedRows::pack(row_operand.first, row_operand.stride, plan.rows, 0, pixels, pixels,
                       rows_buffer);
      const Matrix panel_columns = {panel_operand.first + (plan.swapped ? first_column : 0),
                                    panel_operand.stride};
      Ahead ahead;
      const std::int64_t next_pixels = (next - last) * plan.pixels;
      ahead.add(after(row_operand, pixels), plan.rows, next_pixels);
      ahead.add(after(panel_columns, pixels), std::min(columns, kBlock), next_pixels);
      multiply(pixels, panel_columns, pixels, ahead,
               [&](std::int64_t) { return TapPixels{.length = pixels}; });
      return;
    }
    const std::int64_t height = s.out_height();
    for (std::int64_t row = first; row < last;) {  // whole images together
      const std::int64_t whole = row % height == 0 ? (last - row) / height : 0;
      const std::int64_t images = std::max<std::int64_t>(1, whole);
      const std::int64_t count = whole > 0 ? height : std::min(last - row, height - row % height);
      add_images(row / height, images, row % height, count,
                 {dy.first + (row - first) * plan.pixels * dy.stride, dy.stride});
      row += images * count;
    }
  }

 private:
  static constexpr std::int64_t kBlock = PackedPlan::kPackedPanels * kColumns;

  static Matrix after(const Matrix& m, std::int64_t pixels) {
    return {m.first + pixels * m.stride, m.stride};
  }

  // Output rows [oy, oy + count) of each of `images` images; of several only whole ones.
  void add_images(std::int64_t image, std::int64_t images, std::int64_t oy, std::int64_t count,
                  const Matrix& dy) {
    const Conv2dShape& s = plan.s;
    const PackedPlan::Source source = plan.source(oy, count);
    const std::int64_t line = plan.line(), image_pixels = source.lines * line;
    if (image_pixels == 0) return;
    for (std::int64_t i = 0; i < images * source.lines; ++i) {
      const std::int64_t y = source.first + i % source.lines * plan.step;
      const float* from = x + ((image + i / source.lines) * s.height + y) * s.width * s.in;
      for (std::int64_t phase = 0; phase < plan.phases(); ++phase) {
        const std::int64_t column = plan.first_phase() + phase;
        if (column >= s.width) break;
        PackedRows::pack(from + column * s.in + group * plan.rows, s.stride * s.in, plan.rows,
                         i * line + phase * plan.phase_columns(),
                         div_up(s.width - column, s.stride), images * image_pixels, rows_buffer);
      }
    }
    const TapAxis vertical = vertical_axis(s), horizontal = horizontal_axis(s);
    const auto tap_pixels = [&](std::int64_t tap) {
      const std::int64_t kh = tap / s.kernel_w, kw = tap % s.kernel_w;
      const auto [top, bottom] = vertical.outputs(kh);
      const auto [left, right] = horizontal.outputs(kw);
      const std::int64_t low = std::max(oy, top), high = std::min(oy + count, bottom);
      if (low >= high || left >= right) return TapPixels{.length = 0};
      const std::int64_t iy = low * s.stride - s.padding + kh - source.first;
      const std::int64_t ix = left * s.stride - s.padding + kw - plan.first_phase();
      return TapPixels{
          .length = right - left,
          .runs = high - low,
          .groups = images,
          .row = iy / plan.step * line + ix % s.stride * plan.phase_columns() + ix / s.stride,
          .row_run = plan.phases() * line,
          .row_group = image_pixels,
          .panel = (low - oy) * plan.pixels + left,
          .panel_run = plan.pixels,
          .panel_group = count * plan.pixels};
    };
    multiply(images * image_pixels, dy, images * count * plan.pixels, {}, tap_pixels);
  }

  // partial[panel][tap][i][j] += sum over the tap's pixels of row channel i and column j.
  //   from: the item's columns of the panel operand, `pixels` of them; the rows are packed
  //   last: what is read after the last block of columns
  template <class Tap>
  void multiply(std::int64_t row_pixels, const Matrix& from, std::int64_t pixels, const Ahead& last,
                const Tap& tap_pixels) {
    for (std::int64_t block = 0; block < columns; block += kBlock) {
      const std::int64_t end = std::min(columns, block + kBlock);
      PackedPanels::pack(from.first + block, from.stride, end - block, pixels, panels_buffer);
      Ahead ahead = last;
      if (end < columns) {
        ahead = {};
        ahead.add({from.first + end, from.stride}, std::min(columns - end, kBlock), pixels);
      }
      constexpr std::int64_t kTaps = 32;  // that take turns with a tile's rows in L1
      for (std::int64_t tap = 0; tap < plan.taps; tap += kTaps) {
        TapPixels taps[kTaps];
        const std::int64_t count = std::min(kTaps, plan.taps - tap);
        for (std::int64_t i = 0; i < count; ++i) taps[i] = tap_pixels(tap + i);
        for (std::int64_t column = block; column < end; column += kColumns) {
          const std::int64_t panel = (column - block) / kColumns;
          multiply_panel(
              row_pixels, panels_buffer + panel * PackedPanels::panel_floats(pixels),
              std::min(kColumns, end - column), {taps, static_cast<std::size_t>(count)},
              partial + column / kColumns * plan.panel_floats() + tap * plan.rows * kColumns,
              ahead);
        }
      }
    }
    fresh = false;
  }

  void multiply_panel(std::int64_t row_pixels, const float* panel, std::int64_t n,
                      std::span<const TapPixels> taps, float* partial_taps, Ahead& ahead) const {
    GemmF32Args gemm = {
        .n = n, .a_row = 1, .b_row = kColumns, .init_row = kColumns, .c_row = kColumns};
    const float* rows = rows_buffer;
    for (std::int64_t row = 0; row < plan.rows; row += kTile) {
      gemm.m = std::min(kTile, plan.rows - row);
      float* c = partial_taps + row * kColumns;
      for (const TapPixels& tap : taps) {
        if (tap.length > 0) {
          gemm.k = tap.length;
          gemm.runs = tap.runs;
          gemm.run_groups = tap.groups;
          gemm.a = rows + tap.row * gemm.m;
          gemm.a_col = gemm.m;
          gemm.a_run = tap.row_run * gemm.m;
          gemm.a_run_group = tap.row_group * gemm.m;
          gemm.b = panel + tap.panel * kColumns;
          gemm.b_run = tap.panel_run * kColumns;
          gemm.b_run_group = tap.panel_group * kColumns;
          gemm.c = c;
          gemm.init = fresh ? nullptr : c;
          ahead.hand_to(gemm);
          const float* next = taps.size() > 1 ? c + plan.rows * kColumns : c + kTile * kColumns;
          for (std::int64_t i = 0; i < kTile; ++i) __builtin_prefetch(next + i * kColumns, 1);
          kernels.gemm(gemm);
        } else if (fresh) {
          std::fill_n(c, gemm.m * kColumns, 0.0f);
        }
        c += plan.rows * kColumns;
      }
      rows += PackedRows::tile_floats(row_pixels);
    }
  }
};

// dw = the partial sums, group after group.
void add_partials(const PackedPlan& plan, const float* partials, float* dw) {
  const Conv2dShape& s = plan.s;
  const std::int64_t row_blocks = div_up(plan.rows, kColumns), per_panel = plan.taps * row_blocks;
  parallel_for(s.groups * plan.panels * per_panel, [&](std::int64_t item) {
    const std::int64_t panel = item / per_panel, tap = item % per_panel / row_blocks;
    const std::int64_t first = item % row_blocks * kColumns;
    const std::int64_t count = std::min(kColumns, plan.rows - first);
    const std::int64_t column = panel % plan.panels * kColumns;
    const std::int64_t columns = std::min(kColumns, plan.columns() - column);
    float sums[kColumns * kColumns];
    const float* from =
        partials + panel * plan.panel_floats() + (tap * plan.rows + first) * kColumns;
    std::copy_n(from, count * kColumns, sums);
    for (std::int64_t group = 1; group < plan.groups.count; ++group) {
      from += plan.group_floats();
      for (std::int64_t i = 0; i < count * kColumns; ++i) sums[i] += from[i];
    }
    if (plan.swapped) {
      for (std::int64_t i = 0; i < count; ++i) {
        std::copy_n(sums + i * kColumns, columns, dw + (first + i) * s.in + column);
      }
      return;
    }
    const std::int64_t out = panel / plan.panels * s.out_per_group() + column;
    for (std::int64_t j = 0; j < columns; ++j) {
      float* to = dw + ((out + j) * plan.taps + tap) * plan.rows + first;
      for (std::int64_t i = 0; i < count; ++i) to[i] = sums[i * kColumns + j];
    }
  });
}

}  // namespace

bool packs_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s) {
  constexpr std::int64_t kLeastPixels = 512;
  return kernels.panel_columns <= kColumns && s.in_per_group() >= kColumns &&
         s.out_per_group() >= kColumns && s.batch * s.out_height() * s.out_width() >= kLeastPixels;
}

std::size_t packed_weight_gradient_scratch_floats(const Conv2dShape& s) {
  const PackedPlan plan(s);
  return static_cast<std::size_t>(plan.groups.count * plan.group_floats()) +
         workers() * static_cast<std::size_t>(plan.buffer_floats());
}

void packed_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                            OutputGradient gradient, float* dw, float* scratch) {
  const PackedPlan plan(s);
  const GradientRows gradient_rows{kernels, s, gradient};
  float* buffers = scratch + plan.groups.count * plan.group_floats();
  const std::int64_t per_group = s.groups * plan.blocks;
  parallel_for_workers(plan.groups.count * per_group, [&](std::int64_t item, int worker) {
    const std::int64_t row_group = item / per_group, group = item % per_group / plan.blocks;
    const std::int64_t panel = item % plan.blocks * plan.block;
    const std::int64_t panels = std::min(plan.block, plan.panels - panel);
    float* partial = scratch + row_group * plan.group_floats() +
                     (group * plan.panels + panel) * plan.panel_floats();
    float* rows_buffer = buffers + worker * plan.buffer_floats();
    float* panels_buffer = rows_buffer + plan.rows_floats();
    const std::int64_t column = panel * kColumns;
    PackedItem products{kernels, plan,        x,
                        partial, rows_buffer, panels_buffer,
                        group,   column,      std::min(panels * kColumns, plan.columns() - column)};
    const std::int64_t channel = plan.swapped ? 0 : group * s.out_per_group() + column;
    const std::int64_t channels = plan.swapped ? s.out : products.columns;
    const std::int64_t begin = row_group * plan.groups.group_rows;
    const std::int64_t end = std::min(plan.groups.rows, begin + plan.groups.group_rows);
    for (std::int64_t first = begin; first < end; first += plan.chunk_rows) {
      const std::int64_t last = std::min(end, first + plan.chunk_rows);
      products.add(
          first, last, std::min(end, last + plan.chunk_rows),
          gradient_rows.read(first, last, channel, channels, panels_buffer + plan.panels_floats()));
    }
    if (products.fresh) std::fill_n(partial, panels * plan.panel_floats(), 0.0f);
  });
  add_partials(plan, scratch, dw);
}

}  // namespace octet::kernels
