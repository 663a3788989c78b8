#pragma once

#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace octet {

using NodeIndex = std::int64_t;  // -1: none

// Which products (QConv2d, QLinear) run in the epilogue of which residual add.
struct Fusion {
  std::vector<NodeIndex> add_of;      // by product: its QAdd
  std::vector<NodeIndex> product_of;  // by QAdd: its product

  // None.
  explicit Fusion(std::size_t nodes) : add_of(nodes, -1), product_of(nodes, -1) {}
};

// Each QAdd of two values takes the last of its operands that is a product's result and that
// nothing else reads: product and add are one step then, at the add's place, and that value is
// nowhere in memory.
Fusion fuse_adds(const ir::Graph& graph);

}  // namespace octet
