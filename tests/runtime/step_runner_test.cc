// The step runner alone, on steps that mix bytes: whatever the levels, threads and batch, each
// image's result is the one that a plain walk over the nodes gives.
#include "runtime/step_runner.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace octet {
namespace {

using Bytes = std::vector<std::uint8_t>;

// A node that mixes the bytes of its inputs, or one that renames its only input.
struct MixNode {
  std::vector<ir::ValueId> inputs;
  ir::ValueId output = 0;
  bool renames = false;
};

struct MixNet {
  std::vector<std::size_t>
      sizes;  // by value, of one image; value 0 is the input, the last the output
  std::vector<MixNode> nodes;
};

void mix(const MixNet& net, std::size_t node, const std::vector<const std::uint8_t*>& inputs,
         std::uint8_t* out) {
  const MixNode& n = net.nodes[node];
  for (std::size_t j = 0; j < net.sizes[static_cast<std::size_t>(n.output)]; ++j) {
    std::size_t sum = node + j;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      sum = 31 * sum + inputs[i][j % net.sizes[static_cast<std::size_t>(n.inputs[i])]];
    }
    out[j] = static_cast<std::uint8_t>(sum ^ (sum >> 8));
  }
}

class MixStep final : public Step {
 public:
  MixStep(const MixNet& net, std::size_t node) : net_(net), node_(node) {}

  std::int64_t items(std::int64_t batch) const noexcept override { return batch; }
  std::int64_t products() const noexcept override { return 1; }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte*) const noexcept override {
    const MixNode& n = net_.nodes[node_];
    for (auto image = static_cast<std::size_t>(begin); image < static_cast<std::size_t>(end);
         ++image) {
      std::vector<const std::uint8_t*> inputs;
      for (const ir::ValueId id : n.inputs) {
        inputs.push_back(memory.codes(id) + image * net_.sizes[static_cast<std::size_t>(id)]);
      }
      mix(net_, node_, inputs,
          memory.codes_to_write(n.output) + image * net_.sizes[static_cast<std::size_t>(n.output)]);
    }
  }

 private:
  const MixNet& net_;
  const std::size_t node_;
};

MixNet random_net(Rng& rng) {
  MixNet net;
  net.sizes.push_back(1 + rng.below(90));
  const std::size_t count = 2 + rng.below(14);
  for (std::size_t node = 0; node < count; ++node) {
    MixNode n;
    n.output = static_cast<ir::ValueId>(node + 1);
    n.inputs.push_back(static_cast<ir::ValueId>(node));  // so that every value is read
    while (rng.below(3) == 0) n.inputs.push_back(static_cast<ir::ValueId>(rng.below(node + 1)));
    n.renames = node > 0 && node + 1 < count && n.inputs.size() == 1 && rng.below(6) == 0;
    net.sizes.push_back(n.renames ? net.sizes[node] : 1 + rng.below(90));
    net.nodes.push_back(n);
  }
  return net;
}

// Sizes of work are invented, so that there are levels although the net is small.
ValueTable table_of(const MixNet& net, Rng& rng) {
  ValueTable table;
  std::vector<ArenaValue> alive(net.sizes.size());
  for (std::size_t id = 0; id < net.sizes.size(); ++id) {
    table.root.push_back(static_cast<ir::ValueId>(id));
  }
  for (std::size_t i = 0; i < net.nodes.size(); ++i) {
    const MixNode& n = net.nodes[i];
    const auto at = static_cast<std::int64_t>(i);
    for (const ir::ValueId id : n.inputs) {
      alive[static_cast<std::size_t>(table.root[static_cast<std::size_t>(id)])].last = at;
    }
    const auto output = static_cast<std::size_t>(n.output);
    if (n.renames) {
      table.root[output] = table.root[static_cast<std::size_t>(n.inputs[0])];
    } else {
      alive[output] = {n.output, net.sizes[output], at, at};
    }
    table.nodes.push_back({std::size_t{4} << (10 + rng.below(11)), rng.below(2) * 64});
  }
  for (std::size_t id = 1; id + 1 < net.sizes.size(); ++id) {
    if (table.root[id] == static_cast<ir::ValueId>(id)) table.in_arena.push_back(alive[id]);
  }
  return table;
}

// Of one image: every node in its turn, every value in memory of its own.
Bytes expected(const MixNet& net, const std::uint8_t* input) {
  std::vector<Bytes> values{Bytes(input, input + net.sizes[0])};
  for (std::size_t i = 0; i < net.nodes.size(); ++i) {
    const MixNode& n = net.nodes[i];
    std::vector<const std::uint8_t*> inputs;
    for (const ir::ValueId id : n.inputs)
      inputs.push_back(values[static_cast<std::size_t>(id)].data());
    Bytes out(net.sizes[i + 1]);
    if (n.renames) {
      out = values[static_cast<std::size_t>(n.inputs[0])];
    } else {
      mix(net, i, inputs, out.data());
    }
    values.push_back(std::move(out));
  }
  return values.back();
}

}  // namespace

TEST_SUITE_BEGIN("runtime");

TEST_CASE("step runner: images at a time, threads and batch change no result") {
  std::size_t most_levels = 0, crossing = 0;
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    Rng rng(seed, RngPurpose::kTest);
    const MixNet net = random_net(rng);
    const ValueTable table = table_of(net, rng);
    const std::int64_t max_batch = 1 + rng.below(120);
    const int threads = 1 + static_cast<int>(rng.below(3));
    const auto last = static_cast<ir::ValueId>(net.sizes.size() - 1);
    StepList steps;
    for (std::size_t i = 0; i < net.nodes.size(); ++i) {
      steps.add(i, net.nodes[i].renames ? nullptr : std::make_unique<MixStep>(net, i));
    }
    StepRunner runner(std::move(steps), {0, last, net.sizes.front(), net.sizes.back()}, table,
                      {max_batch, threads, 0});
    const std::vector<Level> levels = levels_of(table.nodes, (max_batch + threads - 1) / threads);
    most_levels = std::max(most_levels, levels.size());
    crossing += plan_arena(table, levels).crossing.size();

    for (const std::int64_t batch :
         {max_batch, std::int64_t{1} + rng.below(static_cast<std::uint32_t>(max_batch))}) {
      CAPTURE(batch);
      Bytes input(static_cast<std::size_t>(batch) * net.sizes.front());
      for (std::uint8_t& byte : input) byte = static_cast<std::uint8_t>(rng.below(256));
      Bytes output(static_cast<std::size_t>(batch) * net.sizes.back());
      runner.run(reinterpret_cast<const std::byte*>(input.data()), batch,
                 reinterpret_cast<std::byte*>(output.data()));
      for (std::size_t image = 0; image < static_cast<std::size_t>(batch); ++image) {
        const Bytes one = expected(net, input.data() + image * net.sizes.front());
        CHECK(std::equal(one.begin(), one.end(),
                         output.begin() + static_cast<std::ptrdiff_t>(image * net.sizes.back())));
      }
    }
  }
  CHECK(most_levels >= 4);  // else nothing was tested
  CHECK(crossing >= 100);
}

TEST_CASE("levels: large maps few images at a time, and never fewer from node to node") {
  // As in a ResNet: a large map, a small one with many weights, a pool, a linear layer.
  const std::vector<NodeWork> nodes = {
      {std::size_t{9} << 20, 1024}, {1000, 1024}, {std::size_t{2} << 20, 256},
      {std::size_t{1} << 17, 16},   {1000, 0},    {1000, 1}};
  const std::vector<Level> levels = levels_of(nodes, 64);
  REQUIRE(levels.size() >= 3);
  CHECK(levels.front().images == 1);
  CHECK(levels.back().end == 6);
  CHECK(levels.back().images == 64);
  for (std::size_t i = 1; i < levels.size(); ++i) {
    CHECK(levels[i - 1].images < levels[i].images);
    CHECK(levels[i - 1].end < levels[i].end);
  }
  CHECK(levels[level_of(levels, 1)].images == 1);   // a later node could not take more
  CHECK(levels[level_of(levels, 3)].images >= 12);  // 192 rows for its weights
  CHECK(level_of(levels, 5) == levels.size() - 1);
  CHECK(level_of(levels, 99) == levels.size() - 1);

  const std::vector<Level> one = levels_of(nodes, 1);
  CHECK(one.size() == 1);
  CHECK(one.front().end == 6);
}

TEST_SUITE_END();

}  // namespace octet
