#include "ir/graph.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/ir/graph_builder.h"

namespace octet {

using ir::Graph;
using testing::GraphBuilder;
using testing::lenet_graph;
using testing::small_graph;

TEST_SUITE_BEGIN("ir");

namespace {

ir::Node& node(Graph& g, const std::string& name) {
  for (ir::Node& n : g.nodes) {
    if (n.name == name) return n;
  }
  throw Error("no node " + name);
}

ir::Value& value(Graph& g, const std::string& name) {
  for (ir::Value& v : g.values) {
    if (v.name == name) return v;
  }
  throw Error("no value " + name);
}

template <class T>
void set(Graph& g, const std::string& constant, std::size_t index, T element) {
  reinterpret_cast<T*>(g.constants.at(constant).bytes.data())[index] = element;
}

std::string error_of(const Graph& g) {
  try {
    g.validate();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("graph: example graphs are valid") {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) {
    CHECK(error_of(small_graph(seed)) == "");
    CHECK(error_of(lenet_graph(seed)) == "");
  }
}

TEST_CASE("graph: a float input that Quantize reads is valid, a float anywhere else is not") {
  GraphBuilder b(3);
  ir::ValueId x = b.quantize("quantize", b.input({2, 2, 3}, {}, DType::kF32));
  x = b.flatten("flatten", x);
  b.logits("fc", x, 4);
  CHECK(error_of(b.graph) == "");
  value(b.graph, "flatten").dtype = DType::kF32;
  CHECK(error_of(b.graph).find("[flatten] Flatten makes value \"flatten\" of dtype F32") == 0);
}

TEST_CASE("graph: validate names the fault of every kind of invalid graph") {
  struct Case {
    std::string what;
    std::function<void(Graph&)> damage;
    const char* says;  // part of the message
  };
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<Case> cases = {
      {"no nodes", [](Graph& g) { g.nodes.clear(); }, "between 1 and"},
      {"two values of one name", [](Graph& g) { value(g, "conv").name = "add"; }, "two values"},
      {"two nodes of one name", [](Graph& g) { node(g, "conv").name = "add"; }, "two nodes"},
      {"empty name", [](Graph& g) { value(g, "conv").name = ""; }, "not printable"},
      {"terminal codes in a name", [](Graph& g) { node(g, "conv").name = "a\x1b[2J"; },
       "not printable"},
      {"long name", [](Graph& g) { node(g, "conv").name = std::string(257, 'x'); }, "longer"},

      {"value of another dtype", [](Graph& g) { value(g, "conv").dtype = DType::kI8; },
       "\"conv\" has dtype I8"},
      {"float between input and logits", [](Graph& g) { value(g, "add").dtype = DType::kF32; },
       "[add] QAdd makes value \"add\" of dtype F32"},
      {"int32 between input and logits",
       [](Graph& g) {
         value(g, "add").dtype = DType::kI32;
         value(g, "add").qparams.zero_point = 0;
       },
       "[add] QAdd makes value \"add\" of dtype I32"},
      {"float input without Quantize", [](Graph& g) { value(g, "input").dtype = DType::kF32; },
       "[table] InputTable reads U8"},
      {"8-bit logits", [](Graph& g) { value(g, "fc").dtype = DType::kU8; },
       "[fc] QLinear makes value \"fc\" of dtype U8"},
      {"rank 2",
       [](Graph& g) {
         value(g, "conv").shape = {35, 4};
       },
       "expected [H, W, C] or [C]"},
      {"extent 0",
       [](Graph& g) {
         value(g, "conv").shape = {5, 0, 4};
       },
       "must be positive"},
      {"negative extent",
       [](Graph& g) {
         value(g, "input").shape = {5, -7, 3};
       },
       "must be positive"},
      {"elements that overflow",
       [](Graph& g) {
         value(g, "input").shape = {std::int64_t{1} << 40, 1 << 30, 3};
       },
       "too many elements"},
      {"too many elements",
       [](Graph& g) {
         value(g, "input").shape = {1 << 16, 1 << 16, 3};
       },
       "more than"},
      {"too many pixels",
       [](Graph& g) {
         value(g, "input").shape = {1 << 13, 1 << 12, 3};
       },
       "more than 16777216 pixels"},
      {"a padding that makes many lists of taps",
       [](Graph& g) { std::get<ir::QConv2d>(node(g, "conv").op).padding = 33; },
       "[conv] QConv2d has a kernel of 3 x 3 with padding 33; kernels up to 255 and padding up to "
       "32 are supported"},
      {"wrong shape",
       [](Graph& g) {
         value(g, "conv").shape = {5, 7, 5};
       },
       "[conv] QConv2d gives shape [5, 7, 4], but value \"conv\" has shape [5, 7, 5]"},

      {"scale 0", [](Graph& g) { value(g, "add").qparams.scale = 0.0f; }, "\"add\" has scale 0"},
      {"scale negative", [](Graph& g) { value(g, "add").qparams.scale = -1.0f; }, "scale -1"},
      {"scale infinite", [inf](Graph& g) { value(g, "add").qparams.scale = inf; }, "scale inf"},
      {"scale NaN", [](Graph& g) { value(g, "add").qparams.scale = std::nanf(""); }, "scale nan"},
      {"scale subnormal", [](Graph& g) { value(g, "add").qparams.scale = 1e-40f; }, "normal"},
      {"scale whose inverse is subnormal", [](Graph& g) { value(g, "add").qparams.scale = 3e38f; },
       "inverse"},
      {"zero point below", [](Graph& g) { value(g, "add").qparams.zero_point = -1; },
       "zero_point -1"},
      {"zero point above", [](Graph& g) { value(g, "add").qparams.zero_point = 256; },
       "zero_point 256"},
      {"zero point of logits", [](Graph& g) { value(g, "fc").qparams.zero_point = 1; },
       "zero_point 1; expected [0, 0]"},

      {"input id out of range", [](Graph& g) { g.input = 99; }, "the graph's input refers"},
      {"output id negative", [](Graph& g) { g.output = -1; }, "the graph's output refers"},
      {"node reads what does not exist", [](Graph& g) { node(g, "add").inputs[1] = 99; },
       "[add] refers to value 99"},
      {"node reads what comes later", [](Graph& g) { std::swap(g.nodes[2], g.nodes[3]); },
       "before a node has made it"},
      {"node reads its own output",
       [](Graph& g) { node(g, "add").inputs[1] = node(g, "add").output; },
       "before a node has made it"},
      {"two nodes make one value",
       [](Graph& g) { node(g, "add").output = node(g, "grouped").output; }, "exists already"},
      {"a node makes the input", [](Graph& g) { node(g, "add").output = g.input; },
       "exists already"},
      {"a value that nobody makes",
       [](Graph& g) {
         g.add_value({"orphan", DType::kU8, {3}, {}});
       },
       "no node makes value \"orphan\""},
      {"the output is an inner value", [](Graph& g) { g.output = node(g, "flatten").output; },
       "[flatten] Flatten makes value \"flatten\" of dtype U8; expected U8, and I32"},
      {"node without inputs", [](Graph& g) { node(g, "concat").inputs.clear(); },
       "[concat] Concat has no inputs"},
      {"conv with two inputs", [](Graph& g) { node(g, "conv").inputs.push_back(1); },
       "[conv] QConv2d has one input, got 2"},
      {"add with three inputs",
       [](Graph& g) { node(g, "add").inputs.push_back(node(g, "add").inputs[0]); },
       "one or two inputs"},
      {"add of two shapes", [](Graph& g) { node(g, "add").inputs[1] = node(g, "table").output; },
       "operands of one shape"},
      {"logits made by another op",
       [](Graph& g) {
         node(g, "fc").op = ir::Flatten{};
         value(g, "fc").shape = value(g, "flatten").shape;
       },
       "only QLinear makes logits"},
      {"control characters in a class name", [](Graph& g) { g.class_names[0] = "a\nb"; },
       "control characters"},
      {"class names", [](Graph& g) { g.class_names.pop_back(); }, "2 class names for 3 logits"},

      {"missing constant", [](Graph& g) { g.constants.erase("conv.bias"); },
       "[conv] QConv2d has no constant \"bias\""},
      {"unused constant", [](Graph& g) { g.add_constant<float>("conv", "gamma", {1}, {1.0f}); },
       "[conv.gamma] no node uses"},
      {"constant of another dtype", [](Graph& g) { g.constants["conv.shift"].dtype = DType::kU8; },
       "[conv] QConv2d expects its shift as I8"},
      {"constant of another rank",
       [](Graph& g) {
         g.constants["conv.bias"].shape = {4, 1};
       },
       "of rank 1"},
      {"constant of another length",
       [](Graph& g) {
         g.constants["conv.bias"].shape = {3};
         g.constants["conv.bias"].bytes.resize(12);
       },
       "expects 4 elements in its bias"},
      {"constant with missing bytes", [](Graph& g) { g.constants["conv.bias"].bytes.pop_back(); },
       "in 15 bytes"},
      {"constant with missing elements",
       [](Graph& g) { g.constants["conv.weight"].bytes.resize(12); }, "in 12 bytes"},
      {"weight extent 0",
       [](Graph& g) {
         g.constants["conv.weight"].shape = {4, 0, 3, 3};
         g.constants["conv.weight"].bytes.clear();
       },
       "extents must be positive"},
      {"table of another size",
       [](Graph& g) {
         g.constants["table.table"].shape = {255, 3};
         g.constants["table.table"].bytes.resize(765);
       },
       "[table] InputTable expects a table of shape [256, 3]"},
      {"table in the middle", [](Graph& g) { node(g, "rescale").op = ir::InputTable{}; },
       "[rescale] InputTable must read the graph's input"},

      {"weight scale 0", [](Graph& g) { set(g, "conv.weight_scale", 2, 0.0f); },
       "weight_scale 0 for channel 2"},
      {"weight scale negative", [](Graph& g) { set(g, "conv.weight_scale", 2, -0.5f); },
       "weight_scale -0.5"},
      {"weight scale infinite", [inf](Graph& g) { set(g, "conv.weight_scale", 2, inf); },
       "weight_scale inf"},
      {"weight scale NaN", [](Graph& g) { set(g, "conv.weight_scale", 2, std::nanf("")); },
       "weight_scale nan"},
      {"ratio too large", [](Graph& g) { set(g, "conv.weight_scale", 0, 1e30f); },
       "the ratio of scales must lie in"},
      {"multiplier off by one",
       [](Graph& g) {
         const std::int32_t m = g.constants["conv.multiplier"].as<std::int32_t>()[1];
         set(g, "conv.multiplier", 1, m + 1);
       },
       "[conv] QConv2d has multiplier"},
      {"shift off by one", [](Graph& g) { set(g, "fc.shift", 0, std::int8_t{31}); },
       "and shift 31 for channel 0"},
      {"accumulator that could overflow",
       [](Graph& g) { set(g, "conv.bias", 3, std::numeric_limits<std::int32_t>::max() - 1000); },
       "[conv] QConv2d could overflow its int32 accumulator in channel 3"},
      {"accumulator, lowest bias",
       [](Graph& g) { set(g, "conv.bias", 3, std::numeric_limits<std::int32_t>::min()); },
       "could overflow"},

      {"clamp below 0", [](Graph& g) { std::get<ir::QConv2d>(node(g, "conv").op).clamp_min = -1; },
       "clamps to [-1, 250]"},
      {"clamp above 255", [](Graph& g) { std::get<ir::QLinear>(node(g, "fc").op).clamp_max = 256; },
       "clamps to [0, 256]"},
      {"clamp empty", [](Graph& g) { std::get<ir::QAdd>(node(g, "add").op).clamp_min = 300; },
       "clamps to [300, 255]"},
      {"stride 0", [](Graph& g) { std::get<ir::QConv2d>(node(g, "conv").op).stride = 0; },
       "stride 0"},
      {"stride of pool negative",
       [](Graph& g) { std::get<ir::MaxPool2d>(node(g, "max_pool").op).stride = -2; }, "stride -2"},
      {"padding negative", [](Graph& g) { std::get<ir::QConv2d>(node(g, "conv").op).padding = -1; },
       "padding -1"},
      {"padding huge",
       [](Graph& g) {
         std::get<ir::QConv2d>(node(g, "conv").op).padding =
             std::numeric_limits<std::int64_t>::max();
       },
       "at most"},
      {"pool whose window may lie outside",
       [](Graph& g) { std::get<ir::MaxPool2d>(node(g, "max_pool").op).padding = 3; },
       "less than the kernel"},
      {"pool larger than the map",
       [](Graph& g) { std::get<ir::MaxPool2d>(node(g, "max_pool").op).kernel = 90; },
       "a kernel of 90 on 5 pixels"},
      {"groups 0", [](Graph& g) { std::get<ir::QConv2d>(node(g, "grouped").op).groups = 0; },
       "has 0 groups"},
      {"groups that do not divide",
       [](Graph& g) { std::get<ir::QConv2d>(node(g, "grouped").op).groups = 3; },
       "which must divide 4 input"},
      {"groups and weight disagree",
       [](Graph& g) { std::get<ir::QConv2d>(node(g, "grouped").op).groups = 4; },
       "1 channels per group"},
      {"add parameters",
       [](Graph& g) { ++std::get<ir::QAdd>(node(g, "add").op).params.multiplier_a; }, "eq. (11)"},
      {"rescale parameters",
       [](Graph& g) { ++std::get<ir::QAdd>(node(g, "rescale").op).params.offset; }, "eq. (11)"},
      {"average pool requantization",
       [](Graph& g) { ++std::get<ir::AvgPool2d>(node(g, "avg_pool").op).requant.multiplier; },
       "[avg_pool] AvgPool2d has multiplier"},
      {"concat of other scales",
       [](Graph& g) { node(g, "concat").inputs[1] = node(g, "grouped").output; },
       "[concat] Concat copies codes, but value \"grouped\""},
      {"max-pool changes zero point",
       [](Graph& g) {
         std::int32_t& z = value(g, "max_pool").qparams.zero_point;
         z = (z + 1) % 256;
       },
       "[max_pool] MaxPool2d copies codes"},
      {"flatten changes scale", [](Graph& g) { value(g, "flatten").qparams.scale *= 1.25f; },
       "[flatten] Flatten copies codes"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    Graph g = small_graph();
    c.damage(g);
    const std::string says = error_of(g);
    CAPTURE(says);
    CHECK(says.find(c.says) != std::string::npos);
  }
}

TEST_CASE("graph: the accumulator bound is exact to one") {
  // one weight of 127, zero point 10: |bias - 1270| + 127 * 255 <= 2^31 - 1
  const auto graph_with_bias = [](std::int32_t bias) {
    Graph g;
    g.input = g.add_value({"x", DType::kU8, {1}, {1.0f, 10}});
    g.output = g.add_value({"y", DType::kI32, {1}, {1.0f / 64, 0}});
    g.add_node("fc", ir::QLinear{}, {0}, 1);
    g.add_constant<std::int8_t>("fc", "weight", {1, 1}, {127});
    g.add_constant<std::int32_t>("fc", "bias", {1}, {bias});
    g.add_constant<float>("fc", "weight_scale", {1}, {1.0f});
    const Requant r = make_requant(64.0);
    g.add_constant<std::int32_t>("fc", "multiplier", {1}, {r.multiplier});
    g.add_constant<std::int8_t>("fc", "shift", {1}, {static_cast<std::int8_t>(r.shift)});
    return g;
  };
  const std::int32_t most = 2147483647 - 127 * 255;
  CHECK(error_of(graph_with_bias(most + 1270)) == "");
  CHECK(error_of(graph_with_bias(most + 1271)).find("could overflow") != std::string::npos);
  CHECK(error_of(graph_with_bias(1270 - most)) == "");
  CHECK(error_of(graph_with_bias(1269 - most)).find("could overflow") != std::string::npos);
}

TEST_CASE("graph: add_constant refuses a wrong count and a second of the same name") {
  Graph g;
  CHECK_THROWS_WITH_AS(g.add_constant<std::int32_t>("fc", "bias", {3}, {1, 2}),
                       "[fc.bias] a constant of shape [3] has 12 bytes, got 8", Error);
  g.add_constant<std::int32_t>("fc", "bias", {2}, {1, 2});
  CHECK(g.constants.at("fc.bias").as<std::int32_t>()[1] == 2);
  CHECK_THROWS_AS(g.add_constant<std::int32_t>("fc", "bias", {2}, {1, 2}), Error);
}

TEST_CASE("graph: to_text has one line per node") {
  const std::string text = to_text(lenet_graph());
  CHECK(text.find("lenet for mnist: 8 nodes, 64538 bytes of constants\n") == 0);
  CHECK(
      text.find("\nconv1: QConv2d(input) -> conv1 U8 [28, 28, 6] 5x5 stride 1 padding 2 scale ") !=
      std::string::npos);
  CHECK(text.find("\nfc3: QLinear(fc2) -> fc3 I32 [10] scale ") != std::string::npos);
  std::size_t lines = 0;
  for (const char c : text) lines += c == '\n' ? 1 : 0;
  CHECK(lines == 2 + 8);
}

TEST_SUITE_END();

}  // namespace octet
