#include "runtime/planner.h"

#include <algorithm>
#include <numeric>

#include "file/checked.h"

namespace octet {
namespace {

constexpr std::size_t kAlignment = 64;
// Of a value in the arena so many bytes more may be read (GemmArgs::tails_readable).
constexpr std::uint64_t kReadBehind = 3;

std::size_t aligned(std::size_t size) {
  return checked_add(size, kAlignment - 1, "arena size") / kAlignment * kAlignment;
}

bool overlap(const Interval& a, const Interval& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

Placement place(const std::vector<Interval>& intervals) {
  std::vector<std::size_t> order(intervals.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return intervals[a].size_bytes > intervals[b].size_bytes;
  });

  Placement result;
  result.offsets.assign(intervals.size(), 0);
  std::vector<std::size_t> placed;  // ascending offset
  for (const std::size_t i : order) {
    const std::size_t size = aligned(intervals[i].size_bytes);
    std::size_t best = 0, best_gap = Plan::kNowhere, end = 0;
    for (const std::size_t other : placed) {
      if (!overlap(intervals[i], intervals[other])) continue;
      const std::size_t begin = result.offsets[other];
      if (begin > end && begin - end >= size && begin - end < best_gap) {
        best = end;
        best_gap = begin - end;
      }
      end = std::max(end, begin + aligned(intervals[other].size_bytes));
    }
    result.offsets[i] = best_gap == Plan::kNowhere ? end : best;
    result.arena_bytes =
        std::max(result.arena_bytes, checked_add(result.offsets[i], size, "arena size"));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](std::size_t a, std::size_t b) {
                                     return result.offsets[a] < result.offsets[b];
                                   }),
                  i);
  }
  return result;
}

ValueTable values_of(const ir::Graph& graph, const Fusion& fusion, bool keep_values) {
  ValueTable table;
  table.root.resize(graph.values.size());
  std::iota(table.root.begin(), table.root.end(), 0);
  for (const ir::Node& node : graph.nodes) {
    if (std::holds_alternative<ir::Flatten>(node.op)) {
      table.root[static_cast<std::size_t>(node.output)] =
          table.root[static_cast<std::size_t>(node.inputs[0])];
    }
  }

  const auto end = static_cast<std::int64_t>(graph.nodes.size());
  std::vector<ArenaValue> alive(graph.values.size());
  std::vector<bool> fused(graph.values.size());
  const auto at = [&](ir::ValueId id) -> ArenaValue& {
    return alive[static_cast<std::size_t>(table.root[static_cast<std::size_t>(id)])];
  };
  const auto bytes = [&](ir::ValueId id) {
    const ir::Value& value = graph.value(id);
    return checked_size_bytes(value.shape, value.dtype, "value");
  };
  for (std::int64_t i = 0; i < end; ++i) {
    const ir::Node& node = graph.nodes[static_cast<std::size_t>(i)];
    const NodeIndex reader = fusion.reader_of[static_cast<std::size_t>(i)];
    if (reader >= 0) fused[static_cast<std::size_t>(node.output)] = true;
    if (!std::holds_alternative<ir::Flatten>(node.op)) {
      at(node.output) = {node.output, bytes(node.output), i, i};
    }
    NodeWork& work = table.nodes.emplace_back();
    work.value_bytes = bytes(node.output);
    if (std::holds_alternative<ir::QConv2d>(node.op) ||
        std::holds_alternative<ir::QLinear>(node.op)) {
      work.rows = rows_of(graph.value(node.output).shape);
    }
    for (const ir::ValueId id : node.inputs) {
      // A fused product reads its input when its reader runs.
      at(id).last = std::max({at(id).last, i, reader});
      work.value_bytes = checked_add(work.value_bytes, bytes(id), "value");
    }
  }
  if (keep_values) {
    at(graph.input) = {graph.input, bytes(graph.input), 0, end};
    for (ArenaValue& value : alive) {
      value.first = 0;
      value.last = end;
    }
  }
  for (std::size_t i = 0; i < alive.size(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    if (table.root[i] != id || id == graph.output || (id == graph.input && !keep_values)) continue;
    if (!fused[i]) table.in_arena.push_back(alive[i]);
  }
  return table;
}

Plan plan_arena(const ValueTable& values, const std::vector<Level>& levels) {
  Plan plan;
  std::vector<Interval> intervals;
  for (const ArenaValue& value : values.in_arena) {
    const std::size_t written = level_of(levels, value.first), read = level_of(levels, value.last);
    const bool crosses = written != read;
    if (crosses) plan.crossing.push_back({value.id, read, value.image_bytes});
    const std::uint64_t bytes = checked_mul(
        value.image_bytes, static_cast<std::uint64_t>(levels[read].images), "arena size");
    // The first levels run again and again until the images of the one that reads it are there.
    intervals.push_back(
        {crosses ? 0 : value.first, value.last, checked_add(bytes, kReadBehind, "arena size")});
  }
  const Placement placement = place(intervals);
  plan.offsets.assign(values.root.size(), Plan::kNowhere);
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    plan.offsets[static_cast<std::size_t>(values.in_arena[i].id)] = placement.offsets[i];
  }
  plan.arena_bytes = placement.arena_bytes;
  return plan;
}

}  // namespace octet
