#include "runtime/planner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "tests/ir/graph_builder.h"

namespace octet {

TEST_SUITE_BEGIN("runtime");

namespace {

// The most bytes that are alive in one step: no arena can be smaller.
std::size_t lower_bound(const std::vector<Interval>& intervals) {
  std::size_t most = 0;
  for (const Interval& at : intervals) {
    std::size_t sum = 0;
    for (const Interval& i : intervals) {
      if (i.first <= at.first && at.first <= i.last) sum += (i.size_bytes + 63) / 64 * 64;
    }
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace

TEST_CASE("planner: intervals that meet never overlap, on random intervals") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    Rng rng(seed, RngPurpose::kTest);
    std::vector<Interval> v(1 + rng.below(30));
    for (Interval& i : v) {
      i.first = rng.below(20);
      i.last = i.first + rng.below(6);
      i.size_bytes = 1 + rng.below(5000);
    }
    const Placement p = place(v);
    std::size_t total = 0;
    for (std::size_t i = 0; i < v.size(); ++i) {
      total += (v[i].size_bytes + 63) / 64 * 64;
      CHECK(p.offsets[i] % 64 == 0);
      CHECK(p.offsets[i] + v[i].size_bytes <= p.arena_bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const bool meet = v[i].first <= v[j].last && v[j].first <= v[i].last;
        const bool apart = p.offsets[i] + v[i].size_bytes <= p.offsets[j] ||
                           p.offsets[j] + v[j].size_bytes <= p.offsets[i];
        CHECK((!meet || apart));
      }
    }
    CHECK(p.arena_bytes >= lower_bound(v));
    CHECK(p.arena_bytes <= total);
  }
}

TEST_CASE("planner: a chain needs its largest neighbours only, and the smallest gap is taken") {
  const Placement chain = place({{0, 1, 640}, {1, 2, 1280}, {2, 3, 640}, {3, 4, 64}});
  CHECK(chain.arena_bytes == 1920);
  // When the last one is alive, [0, 1024) and [1536, 1856) are free: it goes into the smaller.
  const Placement gaps = place({{0, 1, 1024}, {0, 9, 512}, {0, 1, 320}, {0, 9, 256}, {5, 5, 128}});
  CHECK(gaps.offsets == std::vector<std::size_t>{0, 1024, 1536, 1856, 1536});
}

TEST_CASE("planner: flatten shares its input's memory, input and logits are not in the arena") {
  const ir::Graph g = testing::lenet_graph();
  const ValueTable values = values_of(g, Fusion(g.nodes.size()), false);
  const Plan plan = plan_arena(values, {{0, 3}});
  const ir::Node& flatten = g.nodes[4];
  CHECK(values.root[static_cast<std::size_t>(flatten.output)] == flatten.inputs[0]);
  CHECK(plan.offsets[static_cast<std::size_t>(flatten.output)] == Plan::kNowhere);
  CHECK(plan.offsets[static_cast<std::size_t>(g.input)] == Plan::kNowhere);
  CHECK(plan.offsets[static_cast<std::size_t>(g.output)] == Plan::kNowhere);
  const Plan kept = plan_arena(values_of(g, Fusion(g.nodes.size()), true), {{0, 3}});
  CHECK(kept.offsets[static_cast<std::size_t>(g.input)] != Plan::kNowhere);
  CHECK_THROWS_AS(plan_arena(values, {{0, std::int64_t{1} << 61}}), Error);
}

TEST_CASE("planner: a 2x2 max pool takes the convolution it alone reads") {
  testing::GraphBuilder b(4);
  const ir::ValueId x = b.input({8, 8, 4}, b.random_qparams());
  const ir::ValueId a = b.conv("a", x, {8, 3, 3, 4}, {.padding = 1});
  const ir::ValueId pooled = b.max_pool("pool", a, {});
  const ir::ValueId shared = b.conv("shared", pooled, {8, 1, 1, 8}, {});
  const ir::ValueId both =
      b.concat("both", {b.max_pool("left", shared, {}), b.max_pool("right", shared, {})});
  const ir::ValueId wide = b.conv("many_weights", both, {458, 3, 3, 16}, {.padding = 1});
  b.logits("logits", b.flatten("flatten", b.max_pool("last", wide, {})), 5);
  const Fusion fusion = fuse(b.graph);
  CHECK(fusion.reader_of == std::vector<NodeIndex>{1, -1, -1, -1, -1, -1, -1, -1, -1, -1});
  CHECK(fusion.product_of == std::vector<NodeIndex>{-1, 0, -1, -1, -1, -1, -1, -1, -1, -1});
}

TEST_CASE("planner: a fused product has no memory, and its input lives until the add runs") {
  testing::GraphBuilder b(3);
  const ir::ValueId x = b.input({4, 4, 8}, b.random_qparams());
  const ir::ValueId a = b.conv("a", x, {8, 1, 1, 8}, {});
  const ir::ValueId fused = b.conv("fused", a, {8, 1, 1, 8}, {});
  const ir::ValueId between = b.max_pool("between", a, {});
  const ir::ValueId sum = b.add_op("add", {x, fused});
  const ir::ValueId pooled = b.max_pool("pool", sum, {});
  b.logits("logits", b.flatten("flatten", b.add_op("last", {pooled, between})), 5);
  const ir::Graph& g = b.graph;
  const Fusion fusion = fuse(g);
  CHECK(fusion.reader_of == std::vector<NodeIndex>{-1, 3, -1, -1, -1, -1, -1, -1});
  CHECK(fusion.product_of == std::vector<NodeIndex>{-1, -1, -1, 1, -1, -1, -1, -1});

  const Plan plan = plan_arena(values_of(g, fusion, false), {{0, 1}});
  const auto offset = [&](ir::ValueId id) { return plan.offsets[static_cast<std::size_t>(id)]; };
  CHECK(offset(fused) == Plan::kNowhere);
  const auto apart = [&](ir::ValueId i, ir::ValueId j) {
    const auto bytes = [&](ir::ValueId id) {
      return static_cast<std::size_t>(g.value(id).shape.numel());
    };
    return offset(i) + bytes(i) <= offset(j) || offset(j) + bytes(j) <= offset(i);
  };
  CHECK(apart(a, between));
  CHECK(apart(a, sum));  // a is read while the sum is written
}

TEST_SUITE_END();

}  // namespace octet
