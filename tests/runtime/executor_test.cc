#include "runtime/executor.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "tests/ir/graph_builder.h"
#include "tests/runtime/reference.h"

namespace octet {

using ir::Graph;
using ir::ValueId;
using testing::GraphBuilder;
using testing::Reference;

TEST_SUITE_BEGIN("runtime");

namespace {

template <class T>
std::vector<T> slice(const std::vector<T>& v, std::int64_t begin, std::int64_t count) {
  return {v.begin() + begin, v.begin() + begin + count};
}

// Every value and the logits of `images`, as the reference computes them: [value][batch * numel].
struct Expected {
  std::vector<std::vector<std::uint8_t>> values;
  std::vector<std::int32_t> logits;
};

template <class T>
Expected reference(const Graph& graph, const std::vector<T>& images, std::int64_t batch) {
  Expected expected;
  expected.values.resize(graph.values.size());
  Reference reference(graph);
  const std::int64_t size = graph.value(graph.input).shape.numel();
  for (std::int64_t i = 0; i < batch; ++i) {
    reference.run(slice(images, i * size, size));
    for (std::size_t id = 0; id < graph.values.size(); ++id) {
      const auto& codes = reference.codes(static_cast<ValueId>(id));
      expected.values[id].insert(expected.values[id].end(), codes.begin(), codes.end());
    }
    expected.logits.insert(expected.logits.end(), reference.logits().begin(),
                           reference.logits().end());
  }
  return expected;
}

// Runs the graph for every instruction set, for several batch sizes and numbers of threads, with
// and without kept values, and compares all with the reference.
template <class T>
void check_all_ways(const Graph& graph, const std::vector<T>& images, std::int64_t max_batch,
                    const std::vector<std::int64_t>& batches) {
  const Expected expected = reference(graph, images, max_batch);
  const std::int64_t size = graph.value(graph.input).shape.numel();
  const std::int64_t classes = graph.value(graph.output).shape.numel();
  int runs = 0;
  for (const Isa isa : supported_isas()) {
    CAPTURE(std::string(name_of(isa)));
    const auto model = pack_model(graph, isa);
    for (const int threads : {1, 2, 3, 4}) {
      CAPTURE(threads);
      Executor kept(
          model,
          {.max_batch = max_batch, .threads = threads, .least_products = 0, .keep_values = true});
      Executor executor(model, {.max_batch = max_batch, .threads = threads, .least_products = 0});
      for (const std::int64_t batch : batches) {
        CAPTURE(batch);
        const std::vector<T> input = slice(images, 0, batch * size);
        const std::vector<std::int32_t> logits = slice(expected.logits, 0, batch * classes);
        std::vector<std::int32_t> got(logits.size(), -1), got_kept(logits.size(), -1);
        executor.run(input, batch, got);
        CHECK(got == logits);
        kept.run(input, batch, got_kept);
        CHECK(got_kept == logits);
        for (std::size_t id = 0; id < graph.values.size(); ++id) {
          if (graph.values[id].dtype != DType::kU8) continue;
          CAPTURE(graph.values[id].name);
          const auto codes = kept.value(static_cast<ValueId>(id));
          CHECK(std::vector<std::uint8_t>(codes.begin(), codes.end()) ==
                slice(expected.values[id], 0, batch * graph.values[id].shape.numel()));
        }
        ++runs;
      }
    }
  }
  CHECK(runs >= 4);
}

// Flattens x and adds the logits, so that the graph is complete.
Graph finish(GraphBuilder& b, ValueId x) {
  if (b.graph.value(x).shape.rank() == 3) x = b.flatten("flatten", x);
  b.logits("logits", x, 5);
  return b.graph;
}

}  // namespace

TEST_CASE("executor: convolutions with a max pool behind them equal the reference") {
  struct Case {
    Shape input;
    Shape weight;
    ir::QConv2d op;
    ir::MaxPool2d pool = {};
  };
  const std::vector<Case> cases = {
      {{28, 28, 1}, {6, 5, 5, 1}, {.padding = 2}},  // LeNet's two
      {{14, 14, 6}, {16, 5, 5, 6}, {}},
      {{7, 9, 3}, {8, 3, 3, 3}, {.padding = 1}},  // an odd map's last row and column are dropped
      {{9, 6, 4}, {1, 2, 3, 4}, {.padding = 1, .clamp_min = 100, .clamp_max = 180}},
      {{6, 6, 5}, {7, 1, 1, 5}, {}},
      {{2, 2, 4}, {8, 1, 1, 4}, {}},  // one window
      {{5, 5, 1}, {3, 3, 3, 1}, {.padding = 3}},
      {{8, 8, 16}, {20, 3, 3, 16}, {.padding = 1}},
      {{11, 10, 4}, {9, 3, 3, 4}, {.stride = 2, .padding = 1}},
      {{9, 9, 3}, {5, 3, 3, 3}, {.stride = 2}},  // few channels, but no neighbours
      {{10, 6, 2}, {40, 3, 3, 2}, {.padding = 1}},
      {{6, 6, 8}, {70, 3, 3, 8}, {}},
      {{6, 6, 4}, {8, 3, 3, 2}, {.padding = 1, .groups = 2}},    // not fused
      {{8, 8, 4}, {8, 3, 3, 4}, {.padding = 1}, {.kernel = 3}},  // nor these
      {{8, 8, 4}, {8, 3, 3, 4}, {}, {.kernel = 2, .stride = 2, .padding = 1}},
  };
  std::uint32_t seed = 100;
  for (const Case& c : cases) {
    CAPTURE(c.input.to_string());
    CAPTURE(c.weight.to_string());
    GraphBuilder b(++seed);
    const ValueId x = b.conv("conv", b.input(c.input, b.random_qparams()), c.weight, c.op);
    const Graph graph = finish(b, b.max_pool("pool", x, c.pool));
    check_all_ways(graph, b.codes(9 * c.input.numel()), 9, {1, 4, 9});
  }
}

TEST_CASE("executor: convolutions equal the reference") {
  struct Case {
    Shape input;
    Shape weight;
    ir::QConv2d op;
  };
  const std::vector<Case> cases = {
      {{5, 7, 3}, {4, 3, 3, 3}, {.padding = 1}},
      {{6, 6, 1}, {6, 5, 5, 1}, {.padding = 2}},
      {{9, 8, 5}, {7, 3, 2, 5}, {.stride = 2, .padding = 1}},
      {{11, 11, 2}, {3, 3, 3, 2}, {.stride = 3}},
      {{4, 4, 17}, {33, 1, 1, 17}, {}},           // rows read in place
      {{4, 4, 8}, {12, 1, 1, 4}, {.groups = 2}},  // the same, in groups
      {{5, 5, 9}, {5, 1, 1, 9}, {.stride = 2}},
      {{3, 3, 4}, {5, 1, 1, 4}, {.padding = 1}},  // windows wholly outside
      {{2, 3, 2}, {3, 3, 3, 2}, {.padding = 4}},
      {{6, 5, 6}, {6, 3, 3, 1}, {.padding = 1, .groups = 6}},  // depthwise
      {{6, 5, 6}, {12, 3, 3, 2}, {.stride = 2, .padding = 1, .groups = 3}},
      {{3, 5, 3}, {2, 3, 5, 3}, {}},  // one output pixel
      {{5, 5, 3}, {4, 3, 3, 3}, {.padding = 1, .clamp_min = 100, .clamp_max = 180}},
      {{24, 24, 16}, {8, 3, 3, 16}, {.padding = 1}},  // several tiles per image
      {{4, 4, 32}, {40, 3, 3, 32}, {.padding = 1}},   // threads share output channels
      {{14, 14, 6}, {16, 5, 5, 6}, {}},               // few channels, no padding
      {{3, 3, 4}, {6, 3, 3, 4}, {.padding = 1}},      // every pixel a class of its own
      {{9, 7, 70}, {70, 3, 3, 1}, {.stride = 2, .padding = 1, .groups = 70}},
      {{5, 6, 64}, {128, 3, 3, 1}, {.padding = 1, .groups = 64}},  // two outputs per channel
      {{7, 7, 12}, {10, 3, 3, 6}, {.padding = 1, .groups = 2}},
      // Groups of few channels, several in a panel: all of them, or as many as divide their number.
      {{5, 6, 32}, {32, 3, 3, 4}, {.padding = 1, .groups = 8}},
      {{7, 5, 24}, {16, 3, 3, 3}, {.stride = 2, .padding = 1, .groups = 8, .clamp_min = 90}},
      {{4, 5, 35}, {21, 3, 3, 5}, {.padding = 1, .groups = 7}},
      {{5, 4, 40}, {80, 3, 3, 8}, {.padding = 1, .groups = 5}},
      {{6, 6, 18}, {18, 3, 3, 2}, {.padding = 1, .groups = 9, .clamp_max = 200}},
      {{5, 5, 96}, {96, 1, 1, 32}, {.groups = 3}},
      {{6, 5, 4}, {5, 4, 3, 4}, {.padding = 7}},  // pixels further outside than the kernel is wide
      {{9, 4, 8}, {8, 5, 6, 1}, {.padding = 8, .groups = 8}},
  };
  std::uint32_t seed = 0;
  for (const Case& c : cases) {
    CAPTURE(c.input.to_string());
    CAPTURE(c.weight.to_string());
    GraphBuilder b(++seed);
    const ValueId x = b.input(c.input, b.random_qparams());
    const Graph graph = finish(b, b.conv("conv", x, c.weight, c.op));
    check_all_ways(graph, b.codes(7 * c.input.numel()), 7, {7, 1, 2});
  }
}

TEST_CASE("executor: depthwise convolutions equal the reference") {
  struct Case {
    std::int64_t h, w, channels, kernel;
    ir::QConv2d op;
  };
  const std::vector<Case> cases = {
      {6, 7, 2, 3, {.padding = 1}},
      {5, 5, 8, 3, {.stride = 2, .padding = 1, .clamp_max = 150}},
      {9, 4, 15, 3, {.padding = 1}},
      {8, 9, 16, 3, {.stride = 2, .padding = 1}},
      {7, 7, 17, 5, {.padding = 2}},
      {9, 10, 24, 5, {.stride = 2, .padding = 2, .clamp_min = 90, .clamp_max = 170}},
      {5, 6, 40, 3, {}},
      {2, 2, 63, 3, {.padding = 1}},  // every pixel a class of its own
      {4, 4, 64, 3, {.padding = 1}},
      {3, 4, 65, 2, {.padding = 3}},  // windows wholly outside
      {6, 6, 96, 3, {.stride = 2, .padding = 1}},
      {4, 5, 130, 5, {.padding = 1}},
      {20, 21, 9, 1, {}},
  };
  std::uint32_t seed = 200;
  for (const Case& c : cases) {
    CAPTURE(c.channels);
    CAPTURE(c.kernel);
    GraphBuilder b(++seed);
    const ValueId x = b.input({c.h, c.w, c.channels}, b.random_qparams());
    ir::QConv2d op = c.op;
    op.groups = c.channels;
    const ValueId y = b.conv("conv", x, {c.channels, c.kernel, c.kernel, 1}, op);
    const bool add = b.graph.value(x).shape == b.graph.value(y).shape;
    const Graph graph = finish(b, add ? b.add_op("add", {y, x}, 2, 240) : y);
    check_all_ways(graph, b.codes(5 * c.h * c.w * c.channels), 5, {5, 1});
  }
}

TEST_CASE("executor: zero points at both ends, codes at both ends") {
  for (const std::int32_t zero_point : {0, 255}) {
    for (const int code : {0, 255}) {
      GraphBuilder b(7);
      const ValueId x = b.input({5, 5, 3}, {0.02f, zero_point});
      const Graph graph = finish(b, b.conv("conv", x, {4, 3, 3, 3}, {.padding = 1}));
      check_all_ways(graph, std::vector<std::uint8_t>(2 * 75, static_cast<std::uint8_t>(code)), 2,
                     {2});
    }
  }
}

TEST_CASE("executor: linear layers equal the reference") {
  for (const std::int64_t features : {1, 3, 16, 63, 400}) {
    CAPTURE(features);
    GraphBuilder b(static_cast<std::uint32_t>(features));
    ValueId x = b.input({features}, b.random_qparams());
    x = b.linear("fc1", x, 37);
    const Graph graph = finish(b, b.linear("fc2", x, 16, {.clamp_min = 20}));
    check_all_ways(graph, b.codes(64 * features), 64, {64, 7, 1});
  }
}

TEST_CASE("executor: pools equal the reference") {
  struct Case {
    ir::MaxPool2d max;
    ir::AvgPool2d avg;
  };
  const std::vector<Case> cases = {
      {{}, {}},
      {{.kernel = 3, .stride = 2, .padding = 1},
       {.kernel_h = 3, .kernel_w = 2, .stride = 1, .padding = 1}},
      {{.kernel = 2, .stride = 3, .padding = 0}, {.kernel_h = 1, .kernel_w = 4, .stride = 2}},
      {{.kernel = 3, .stride = 1, .padding = 2}, {.kernel_h = 9, .kernel_w = 9, .stride = 1}},
  };
  std::uint32_t seed = 20;
  for (const Case& c : cases) {
    GraphBuilder b(++seed);
    const ValueId x = b.input({9, 9, 3}, b.random_qparams());
    const ValueId y = b.max_pool("max", x, c.max);
    const ValueId z = b.flatten("flat", b.avg_pool("avg", x, c.avg));
    const ValueId w = b.linear("fc", z, b.graph.value(y).shape.numel());
    const Graph graph = finish(b, b.add_op("add", {b.flatten("flat2", y), w}));
    check_all_ways(graph, b.codes(7 * 243), 7, {7, 1});
  }
}

TEST_CASE("executor: add, one-operand add, concat and flatten equal the reference") {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    GraphBuilder b(seed);
    const ValueId x = b.input({4, 3, 5}, b.random_qparams());
    const ValueId y = b.conv("conv", x, {5, 3, 3, 5}, {.padding = 1});
    const ValueId sum = b.add_op("add", {x, y}, 10, 240);
    const ValueId twice = b.add_op("twice", {sum, sum});
    const QParams q = b.graph.value(twice).qparams;
    const ValueId joined =
        b.concat("concat", {b.rescale("rescale_y", y, q), twice, b.rescale("rescale_x", x, q)});
    check_all_ways(finish(b, joined), b.codes(7 * 60), 7, {7, 3, 1});
  }
}

TEST_CASE("executor: an add runs behind either of its operands, or alone") {
  // Which operand is computed last, and whether something else reads it.
  for (const bool product_first : {false, true}) {
    for (const bool shortcut_last : {false, true}) {
      for (const bool read_twice : {false, true}) {
        CAPTURE(product_first);
        CAPTURE(shortcut_last);
        CAPTURE(read_twice);
        GraphBuilder b(51);
        const ValueId x = b.input({5, 6, 8}, b.random_qparams());
        const ValueId y = b.conv("conv1", x, {8, 3, 3, 8}, {.padding = 1});
        ValueId product = -1, shortcut = -1;
        if (!shortcut_last) shortcut = b.conv("down", x, {20, 1, 1, 8}, {.clamp_min = 10});
        product = b.conv("conv2", y, {20, 3, 3, 8}, {.padding = 1, .clamp_max = 250});
        if (shortcut_last) shortcut = b.conv("down", x, {20, 1, 1, 8}, {});
        const std::vector<ValueId> operands = product_first
                                                  ? std::vector<ValueId>{product, shortcut}
                                                  : std::vector<ValueId>{shortcut, product};
        ValueId sum = b.add_op("add", operands, 5, 240);
        if (read_twice) {
          sum = b.add_op("again", {sum, product});
          sum = b.add_op("once_more", {shortcut, sum});
        }
        check_all_ways(finish(b, sum), b.codes(13 * 240), 13, {13, 2, 1});
      }
    }
  }
  GraphBuilder d(54);  // a depthwise product
  const ValueId image = d.input({5, 6, 18}, d.random_qparams());
  const ValueId filtered = d.conv("dw", image, {18, 3, 3, 1}, {.padding = 1, .groups = 18});
  check_all_ways(finish(d, d.add_op("add", {image, filtered}, 3, 250)), d.codes(8 * 540), 8,
                 {8, 1});

  GraphBuilder b(52);
  const ValueId x = b.input({7}, b.random_qparams());
  const ValueId sum = b.add_op("add", {b.linear("fc", x, 7), x});
  check_all_ways(finish(b, sum), b.codes(26 * 7), 26, {26, 1});
}

TEST_CASE("executor: more images than a thread takes at a time") {
  GraphBuilder b(53);
  const ValueId x = b.input({4, 5, 2}, b.random_qparams());
  const ValueId y = b.conv("conv", x, {6, 3, 3, 2}, {.padding = 1});
  const Graph graph = finish(b, b.conv("conv2", y, {4, 3, 3, 6}, {.stride = 2, .padding = 1}));
  check_all_ways(graph, b.codes(403 * 40), 403, {403, 97, 11});
}

TEST_CASE("executor: features are joined, and the flattened input is read in place") {
  GraphBuilder b(31);
  const ValueId x = b.flatten("flatten_input", b.input({2, 2, 2}, b.random_qparams()));
  const QParams q = b.graph.value(x).qparams;
  const ValueId y = b.rescale("rescale", b.linear("fc", x, 3), q);
  check_all_ways(finish(b, b.concat("concat", {x, y})), b.codes(5 * 8), 5, {5, 2});
}

TEST_CASE("executor: input table and float input equal the reference") {
  GraphBuilder b(41);
  ValueId x = b.input_table("table", b.input({5, 3, 3}, {}));
  check_all_ways(finish(b, b.conv("conv", x, {4, 3, 3, 3}, {})), b.codes(7 * 45), 7, {7, 1});

  GraphBuilder f(42);
  x = f.quantize("quantize", f.input({5, 3, 3}, {}, DType::kF32));
  const Graph graph = finish(f, f.conv("conv", x, {4, 3, 3, 3}, {.padding = 1}));
  std::vector<float> images(7 * 45);
  for (float& p : images) p = f.rng().uniform(-8.0f, 8.0f);
  images[0] = std::numeric_limits<float>::infinity();
  images[1] = -images[0];
  images[2] = std::numeric_limits<float>::quiet_NaN();
  images[3] = 3e38f;
  check_all_ways(graph, images, 7, {7, 1});
}

TEST_CASE("executor: LeNet, and a graph of every op, for batch 1, 7 and 64") {
  GraphBuilder b(5);
  const Graph lenet = testing::lenet_graph();
  check_all_ways(lenet, b.codes(64 * 784), 64, {64, 7, 1});
  const Graph small = testing::small_graph();
  check_all_ways(small, b.codes(64 * 105), 64, {64, 7, 1});
}

TEST_CASE("executor: several share one model, moved ones go on") {
  const Graph graph = testing::small_graph();
  GraphBuilder b(6);
  const std::vector<std::uint8_t> images = b.codes(2 * 105);
  const auto model = pack_model(graph, default_isa());
  Executor first(model, {.max_batch = 2}),
      second(model, {.max_batch = 2, .threads = 2, .least_products = 0});
  Executor moved = std::move(first);
  std::vector<std::int32_t> a(6), c(6);
  moved.run(images, 2, a);
  second.run(images, 2, c);
  CHECK(a == c);
  CHECK(a == reference(graph, images, 2).logits);
}

TEST_CASE("executor: what it refuses") {
  const Graph graph = testing::small_graph();
  const auto model = pack_model(graph, Isa::kScalar);
  CHECK_THROWS_AS(Executor(nullptr, {}), Error);
  CHECK_THROWS_AS(Executor(model, {.max_batch = 0}), UsageError);
  CHECK_THROWS_AS(Executor(model, {.threads = 0}), UsageError);
  CHECK_THROWS_AS(Executor(model, {.max_batch = std::int64_t{1} << 62, .keep_values = true}),
                  Error);

  Executor executor(model, {});
  CHECK_THROWS_AS(executor.value(1), Error);
  Executor kept(model, {.keep_values = true});
  CHECK_THROWS_AS(kept.value(graph.output), Error);
  CHECK_THROWS_AS(kept.value(-1), Error);
  CHECK_THROWS_AS(kept.value(99), Error);

  Graph invalid = graph;
  invalid.values[2].qparams.scale = 0.0f;
  CHECK_THROWS_AS(pack_model(invalid, Isa::kScalar), Error);
  for (const Isa isa : {Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512Vnni, Isa::kNeonDot}) {
    if (!cpu_supports(isa)) CHECK_THROWS_AS(pack_model(graph, isa), UsageError);
  }
}

TEST_CASE("executor: values that never meet share memory") {
  const auto model = pack_model(testing::lenet_graph(), Isa::kScalar);
  const Executor executor(model, {.max_batch = 8});
  const Executor kept(model, {.max_batch = 8, .keep_values = true});
  // pool1 and pool2 are alive together, and what a pool reads is nowhere; nothing else needs more.
  // And behind both values the bytes that may be read there, rounded up.
  CHECK(executor.arena_bytes() == 8 * (14 * 14 * 6 + 5 * 5 * 16) + 2 * 64);
  CHECK(kept.arena_bytes() > executor.arena_bytes());
}

TEST_SUITE_END();

}  // namespace octet
