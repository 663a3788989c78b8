// Convolutions and linear layers on the executor, against the reference.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/cpu.h"
#include "tests/runtime/executor_checks.h"

namespace octet {

TEST_SUITE_BEGIN("runtime");

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
      {{4, 4, 17}, {33, 1, 1, 17}, {}},            // rows read in place
      {{4, 4, 8}, {12, 1, 1, 4}, {.groups = 2}},   // the same, in groups
      {{4, 4, 8}, {70, 3, 3, 8}, {.padding = 1}},  // a single image with its border
      {{3, 5, 4}, {9, 3, 3, 4}, {.padding = 1, .clamp_min = 90}},
      {{3, 3, 12}, {130, 5, 5, 12}, {.padding = 2}},
      {{6, 6, 8}, {16, 3, 3, 8}, {.stride = 2, .padding = 1}},
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

TEST_SUITE_END();

}  // namespace octet
