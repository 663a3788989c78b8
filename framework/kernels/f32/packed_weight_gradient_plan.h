#pragma once

#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/packed_operands.h"

namespace octet::kernels {

// How the work is cut. For one tap the product is row operand^T x panel operand over the pixels:
// the source's channels by the gradient's, or for a pointwise convolution with fewer output
// channels the other way round, since packing rows costs more than packing panels. Partial sums are
// [groups of rows][groups of channels][panels][taps][row channels][16]: a tile is one stretch of
// memory.
struct PackedPlan {
  const Conv2dShape& s;
  RowGroups groups;
  bool swapped;                        // the gradient's channels are the rows
  std::int64_t taps, pixels, rows;     // of the kernel; of a map row; channels of the row operand
  std::int64_t panels, block, blocks;  // of a group of channels; panels of an item
  std::int64_t chunk_rows;             // output rows that are packed together
  std::int64_t step;  // from one packed source pixel to the next: 1, or the stride of a
                      // kernel of one pixel, which skips the others

  explicit PackedPlan(const Conv2dShape& shape)
      : s(shape),
        groups(shape),
        swapped(is_pointwise(s) && s.out < s.in),
        taps(s.kernel_h * s.kernel_w),
        pixels(s.out_width()),
        rows(swapped ? s.out : s.in_per_group()),
        panels(div_up(swapped ? s.in : s.out_per_group(), PackedPanels::kColumns)),
        step(taps == 1 ? s.stride : 1) {
    // Items for all threads, but few: each packs the rows again. They share nothing, so that their
    // number changes no bit.
    constexpr std::int64_t kLeastPanels = 4;
    const std::int64_t items = 2 * num_threads();
    block = std::clamp(panels * groups.count * s.groups / items, std::min(kLeastPanels, panels),
                       panels);
    blocks = div_up(panels, block);
    chunk_rows = std::clamp<std::int64_t>(chunk_pixels() / pixels, 1, groups.rows);
  }

  // Partial sums that exceed L2 come from far away for each chunk, which is worse than operands
  // that exceed L1. With a stride the source of as many pixels would be several times as large.
  std::int64_t chunk_pixels() const {
    constexpr std::int64_t kL2 = 128 * 1024;
    return group_floats() >= kL2 && s.stride == 1 ? 512 : 256;
  }

  std::int64_t columns() const { return swapped ? s.in : s.out_per_group(); }
  std::int64_t panel_floats() const { return taps * rows * PackedPanels::kColumns; }
  std::int64_t group_floats() const { return s.groups * panels * panel_floats(); }

  // Source rows [first, last) of an image under its output rows [oy, oy + count), every step-th.
  // Packed, a line's columns are sorted by their phase, column % stride, so that those of a tap
  // follow each other; of a kernel of one pixel only one phase is packed.
  struct Source {
    std::int64_t first, last, lines;
  };
  Source source(std::int64_t oy, std::int64_t count) const {
    const std::int64_t first = std::max(first_phase(), oy * s.stride - s.padding);
    const std::int64_t last =
        std::min(s.height, (oy + count - 1) * s.stride - s.padding + s.kernel_h);
    return {first, last, std::max<std::int64_t>(0, div_up(last - first, step))};
  }
  std::int64_t first_phase() const { return (step - s.padding % step) % step; }
  std::int64_t phases() const { return s.stride / step; }
  std::int64_t phase_columns() const { return div_up(s.width, s.stride); }
  std::int64_t line() const { return phases() * phase_columns(); }
  std::int64_t most_source_pixels() const {
    const std::int64_t height = s.out_height();
    const std::int64_t images = std::max<std::int64_t>(1, chunk_rows / height);
    const std::int64_t lines =
        div_up((std::min(chunk_rows, height) - 1) * s.stride + s.kernel_h, step);
    return images * std::min(div_up(s.height, step), lines) * line();
  }

  std::int64_t rows_floats() const {
    const std::int64_t most = std::max(chunk_rows * pixels, most_source_pixels());
    return whole_lines(PackedRows::floats(most, rows));
  }
  // Panels that are packed together: a stretch of a pixel's channels.
  static constexpr std::int64_t kPackedPanels = 8;
  std::int64_t panels_floats() const {
    return PackedPanels::floats(chunk_rows * pixels,
                                std::min(panels, kPackedPanels) * PackedPanels::kColumns);
  }
  // With room for the output gradient, where it is masked.
  std::int64_t buffer_floats() const {
    return rows_floats() + panels_floats() + whole_lines(chunk_rows * pixels * s.out);
  }
};

}  // namespace octet::kernels
