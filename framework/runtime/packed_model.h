#pragma once

#include <cstdint>
#include <vector>

#include "base/aligned_buffer.h"
#include "ir/graph.h"
#include "kernels/u8s8/gemm.h"

namespace octet {

// Weights of one QConv2d or QLinear in the kernel's layout, group by group, with what the epilogue
// needs. n output channels and k taps per group.
struct PackedWeights {
  std::int64_t groups = 1, n = 0, k = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  bool all_shifts_zero = true;
  std::size_t group_bytes = 0;  // from one group's weights to the next's, a multiple of 64
  AlignedBuffer weights;
  std::int64_t n_padded = 0;
  AlignedBuffer vectors;  // int32 [3, groups, n_padded]: bias with Z_x folded in, multiplier, shift

  // n, k, weights and vectors of a group; rows and the rest of the epilogue are left to the caller.
  kernels::GemmArgs gemm_args(std::int64_t group) const;
};

class PackedModel {
 public:
  ir::Graph graph;  // without the weights' constants
  const kernels::GemmKernel* kernel = nullptr;
  std::vector<PackedWeights> weights;  // one per node, empty for nodes that have none
};

}  // namespace octet
