#pragma once

#include <cstdint>
#include <vector>

#include "ir/graph.h"

namespace octet {

using NodeIndex = std::int64_t;  // -1: none

// Which products (QConv2d, QLinear) run in one step with the node that reads them, a residual add
// or a max pool: the step is at that node's place, and the product's value is nowhere in memory.
struct Fusion {
  std::vector<NodeIndex> reader_of;   // by product: its QAdd or MaxPool2d
  std::vector<NodeIndex> product_of;  // by QAdd and MaxPool2d: its product

  // None.
  explicit Fusion(std::size_t nodes) : reader_of(nodes, -1), product_of(nodes, -1) {}
};

// Each QAdd of two values takes the last of its operands that is a product's result and that
// nothing else reads; each 2x2 MaxPool2d without overlap or padding takes a convolution that
// nothing else reads, if its weights are few: they are packed for both ways to run (PackedModel).
Fusion fuse(const ir::Graph& graph);

}  // namespace octet
