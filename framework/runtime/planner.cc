#include "runtime/planner.h"

#include <algorithm>
#include <numeric>

#include "file/checked.h"

namespace octet {
namespace {

constexpr std::size_t kAlignment = 64;
// Of a value in the arena so many bytes more may be read (GemmArgs::tails_readable).
constexpr std::uint64_t kReadBehind = 3;

std::size_t round_up(std::size_t size) {
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
    const std::size_t size = round_up(intervals[i].size_bytes);
    std::size_t best = 0, best_gap = Plan::kNowhere, end = 0;
    for (const std::size_t other : placed) {
      if (!overlap(intervals[i], intervals[other])) continue;
      const std::size_t begin = result.offsets[other];
      if (begin > end && begin - end >= size && begin - end < best_gap) {
        best = end;
        best_gap = begin - end;
      }
      end = std::max(end, begin + round_up(intervals[other].size_bytes));
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

Plan make_plan(const ir::Graph& graph, const Fusion& fusion, std::int64_t max_batch,
               bool keep_values) {
  Plan plan;
  plan.root.resize(graph.values.size());
  std::iota(plan.root.begin(), plan.root.end(), 0);
  for (const ir::Node& node : graph.nodes) {
    if (std::holds_alternative<ir::Flatten>(node.op)) {
      plan.root[static_cast<std::size_t>(node.output)] =
          plan.root[static_cast<std::size_t>(node.inputs[0])];
    }
  }

  const auto end = static_cast<std::int64_t>(graph.nodes.size());
  std::vector<Interval> alive(graph.values.size());
  std::vector<bool> fused(graph.values.size());
  const auto at = [&](ir::ValueId id) -> Interval& {
    return alive[static_cast<std::size_t>(plan.root[static_cast<std::size_t>(id)])];
  };
  for (std::int64_t step = 0; step < end; ++step) {
    const ir::Node& node = graph.nodes[static_cast<std::size_t>(step)];
    const NodeIndex reader = fusion.reader_of[static_cast<std::size_t>(step)];
    if (reader >= 0) fused[static_cast<std::size_t>(node.output)] = true;
    if (!std::holds_alternative<ir::Flatten>(node.op)) at(node.output) = {step, step, 0};
    // A fused product reads its input when its reader runs.
    for (const ir::ValueId id : node.inputs) at(id).last = std::max({at(id).last, step, reader});
  }

  std::vector<ir::ValueId> ids;
  std::vector<Interval> intervals;
  for (std::size_t i = 0; i < alive.size(); ++i) {
    const auto id = static_cast<ir::ValueId>(i);
    if (plan.root[i] != id || id == graph.output || (id == graph.input && !keep_values)) continue;
    if (fused[i]) continue;
    const ir::Value& value = graph.values[i];
    const std::uint64_t bytes = checked_mul(checked_size_bytes(value.shape, value.dtype, "value"),
                                            static_cast<std::uint64_t>(max_batch), "arena size");
    if (keep_values) alive[i] = {0, end, 0};
    ids.push_back(id);
    intervals.push_back(
        {alive[i].first, alive[i].last, checked_add(bytes, kReadBehind, "arena size")});
  }
  const Placement placement = place(intervals);
  plan.offsets.assign(graph.values.size(), Plan::kNowhere);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    plan.offsets[static_cast<std::size_t>(ids[i])] = placement.offsets[i];
  }
  plan.arena_bytes = placement.arena_bytes;
  return plan;
}

}  // namespace octet
