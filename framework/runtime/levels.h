#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/shape.h"

namespace octet {

// Where each thread has images of its own, it takes a few at a time through the first nodes, whose
// maps are large and whose weights are few, so that values stay in its cache; it goes on with the
// later ones, whose weights are many, once there are more images for them. Images at a time never
// become fewer from node to node.

// What a node does for one image.
struct NodeWork {
  std::size_t value_bytes = 0;  // that it reads and writes, without weights
  std::int64_t rows = 0;        // of its matrix product; 0: it has no weights
};

// The nodes [end of the level before, end) take `images` at a time.
struct Level {
  std::int64_t end = 0;
  std::int64_t images = 1;
};

// most: images there are for a thread. The last level ends behind the last node.
std::vector<Level> levels_of(const std::vector<NodeWork>& nodes, std::int64_t most);

// The level of a node, or the last one for what lies behind the nodes.
std::size_t level_of(const std::vector<Level>& levels, std::int64_t node);

// Of a value [H, W, C] or [C]: its pixels.
std::int64_t rows_of(const Shape& shape);

}  // namespace octet
