#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ir/graph.h"
#include "runtime/fusion.h"

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

// Where the values of a graph live.
struct Plan {
  static constexpr std::size_t kNowhere = ~std::size_t{0};

  // Flatten renames a value, so both share memory: root[id] is the value whose memory `id` uses.
  std::vector<ir::ValueId> root;
  // Of the roots in the arena; kNowhere for input and logits, and for what fusion keeps in
  // registers.
  std::vector<std::size_t> offsets;
  std::size_t arena_bytes = 0;
};

// Plans an arena for `max_batch` images. With keep_values every value, the input too, has memory of
// its own (and nothing may be fused). The graph must be valid. Throws Error when the sizes
// overflow.
Plan make_plan(const ir::Graph& graph, const Fusion& fusion, std::int64_t max_batch,
               bool keep_values);

}  // namespace octet
