#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/aligned_buffer.h"
#include "ir/graph.h"
#include "kernels/u8s8/gemm.h"
#include "runtime/fusion.h"
#include "runtime/tap_lists.h"

namespace octet {

// Weights of one QConv2d or QLinear in the kernel's layout, group by group, with what the epilogue
// needs. n output channels per group, of which folded ones (tap_lists.h) have two columns.
struct PackedWeights {
  std::int64_t n = 0;
  TapLists taps;
  // For a single image of a small map, whose classes of pixels would not fill a tile: all pixels
  // are one class, of the image with its border. The same weights, and the bias of the pixels with
  // all taps.
  std::optional<TapLists> whole_map;
  bool all_shifts_zero = true, small_multipliers = true;
  std::size_t group_bytes = 0;    // from one group's weights to the next's, a multiple of 64
  std::int64_t column_bytes = 0;  // from one column's first weights to the next's, panel by panel
  AlignedBuffer weights;
  std::int64_t n_padded = 0;
  // int32 [2 + classes, groups, n_padded]: multiplier, shift, and each class's bias with zero
  // points folded in.
  AlignedBuffer vectors;

  const TapLists& lists(std::int64_t images) const {
    return images == 1 && whole_map ? *whole_map : taps;
  }

  // Weights, runs and epilogue for pixels of a class of `lists`: columns from `first` on, a
  // multiple of the kernel's nr, as many as `columns`. Rows and the rest of the epilogue are left
  // to the caller.
  kernels::GemmArgs gemm_args(const TapLists& lists, const TapLists::Class& c, std::int64_t group,
                              std::int64_t first, std::int64_t columns) const;
};

class PackedModel {
 public:
  ir::Graph graph;  // without the weights' constants
  const kernels::GemmKernel* kernel = nullptr;
  Fusion fusion{0};
  // One per node, empty for nodes that have none. Those of a product that a pool reads are packed
  // once more for that, for their values apart are asked for too (Executor::Options::keep_values).
  std::vector<PackedWeights> weights, pooled_weights;
};

}  // namespace octet
