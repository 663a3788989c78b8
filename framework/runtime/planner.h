#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ir/graph.h"
#include "runtime/fusion.h"
#include "runtime/levels.h"

namespace octet {

// A piece of memory that is alive during the steps [first, last].
struct Interval {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::size_t size_bytes = 0;
};

// Offsets (multiples of 64) for intervals such that two that are alive in one step do not overlap,
// and the bytes of the whole arena. Largest first, each into the smallest gap that fits among those
// already placed.
//   Pisarchyk and Lee 2020 (arXiv:2001.03288), "greedy by size".
struct Placement {
  std::vector<std::size_t> offsets;
  std::size_t arena_bytes = 0;
};
Placement place(const std::vector<Interval>& intervals);

// A value that lives in the arena, from the node that writes it to the last one that reads it.
struct ArenaValue {
  ir::ValueId id = 0;
  std::size_t image_bytes = 0;
  std::int64_t first = 0, last = 0;  // nodes
};

// What planning needs to know of a graph or a float model.
struct ValueTable {
  // By value: whose memory it uses, its own or that of the value which it renames (Flatten).
  std::vector<ir::ValueId> root;
  std::vector<ArenaValue> in_arena;  // roots alone
  std::vector<NodeWork> nodes;
};

// Of a valid graph: without its input and logits, which are the caller's, and without what fusion
// keeps in registers. With keep_values every value, the input too, is there from the first node to
// the last (and nothing may be fused). Throws Error when sizes overflow.
ValueTable values_of(const ir::Graph& graph, const Fusion& fusion, bool keep_values);

// Where the values of one pass live.
struct Plan {
  static constexpr std::size_t kNowhere = ~std::size_t{0};

  // A value that one level writes, a few images at a time, and a later one reads.
  struct Crossing {
    ir::ValueId id;
    std::size_t level;  // of the last node that reads it: room for so many images
    std::size_t image_bytes;
  };

  std::vector<std::size_t> offsets;  // by value; kNowhere where it has no memory of its own
  std::vector<Crossing> crossing;
  std::size_t arena_bytes = 0;
};

// An arena for passes at these levels. Throws Error when sizes overflow.
Plan plan_arena(const ValueTable& values, const std::vector<Level>& levels);

}  // namespace octet
