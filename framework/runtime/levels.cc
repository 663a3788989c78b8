#include "runtime/levels.h"

#include <algorithm>

namespace octet {
namespace {

// As many as fit, but enough for weights to be used often each time they are read.
std::int64_t images_for(const NodeWork& node, std::int64_t most) {
  constexpr std::size_t kCacheBytes = 1 << 20;
  constexpr std::int64_t kLeastRows = 192, kMost = 96;
  const std::size_t bytes = std::max<std::size_t>(1, node.value_bytes);
  const auto fit = static_cast<std::int64_t>(std::min<std::size_t>(kMost, kCacheBytes / bytes));
  const std::int64_t worthwhile =
      node.rows == 0 ? 1 : std::min(kMost, (kLeastRows + node.rows - 1) / node.rows);
  return std::clamp<std::int64_t>(std::max(fit, worthwhile), 1, most);
}

}  // namespace

std::vector<Level> levels_of(const std::vector<NodeWork>& nodes, std::int64_t most) {
  std::vector<Level> levels;  // the last one first
  std::int64_t images = most;
  for (auto node = static_cast<std::int64_t>(nodes.size()); node > 0; --node) {
    images = std::min(images, images_for(nodes[static_cast<std::size_t>(node - 1)], most));
    if (levels.empty() || images < levels.back().images) levels.push_back({node, images});
  }
  if (levels.empty()) levels.push_back({0, most});
  std::reverse(levels.begin(), levels.end());
  return levels;
}

std::size_t level_of(const std::vector<Level>& levels, std::int64_t node) {
  std::size_t level = 0;
  while (level + 1 < levels.size() && node >= levels[level].end) ++level;
  return level;
}

std::int64_t rows_of(const Shape& shape) { return shape.rank() == 3 ? shape[0] * shape[1] : 1; }

}  // namespace octet
