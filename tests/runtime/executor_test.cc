#include "runtime/executor.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "tests/runtime/executor_checks.h"

namespace octet {

TEST_SUITE_BEGIN("runtime");

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
