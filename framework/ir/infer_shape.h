#pragma once

#include <vector>

#include "ir/graph.h"

namespace octet::ir {

// The shape, without batch, that a node's output has, from its inputs' shapes and, for QConv2d and
// QLinear, its weight's ([O, KH, KW, I / groups] or [O, I]; ignored by the others). Checks
// everything about shapes on the way: number and rank of inputs, channels, groups, stride, padding.
// Throws Error "[node] ...".
Shape infer_shape(const Node& node, const std::vector<Shape>& inputs, const Shape& weight);

// Output extent of a window that moves over `extent` pixels: floor((extent + 2 padding - kernel) /
// stride) + 1. The arguments must be in the range that infer_shape checks.
inline std::int64_t window_extent(std::int64_t extent, std::int64_t kernel, std::int64_t stride,
                                  std::int64_t padding) {
  return (extent + 2 * padding - kernel) / stride + 1;
}

}  // namespace octet::ir
