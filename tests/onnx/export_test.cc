#include "onnx/export.h"

#include <doctest/doctest.h>

#include "models/registry.h"
#include "tests/ir/graph_builder.h"
#include "tests/onnx/onnx_model.h"
#include "tests/qat/nets.h"

namespace octet {

using testing::complaint;
using testing::elements;
using testing::initializer;
using testing::maker;
using testing::parse;

TEST_SUITE_BEGIN("onnx");

namespace {

ir::Graph every_leaf_graph() {
  testing::EveryLeaf model({});
  testing::randomize(model, 1);
  const auto input = testing::centered_input(3);
  qat::prepare(model, testing::kImage, testing::min_max_qconfig());
  testing::calibrate(model, testing::real_images(testing::random_pixels(8, 2), input));
  return qat::convert(model, testing::convert_options(input));
}

std::vector<std::byte> exported(const ir::Graph& graph, OnnxPreset preset = OnnxPreset::kQdq) {
  return export_onnx(graph, preset, {.producer_version = "test"});
}

}  // namespace

TEST_CASE("onnx export: the standard's checker accepts integer models of both presets") {
  const ir::Graph graphs[] = {testing::lenet_graph(), testing::small_graph(), every_leaf_graph()};
  for (const ir::Graph& graph : graphs) {
    for (const OnnxPreset preset : {OnnxPreset::kQdq, OnnxPreset::kTensorRt}) {
      CAPTURE(graph.model);
      CAPTURE(static_cast<int>(preset));
      const auto model = parse(exported(graph, preset));
      CHECK(complaint(model) == "");
      CHECK(model.ir_version() == 7);
      CHECK(model.opset_import(0).version() == 13);
    }
    CHECK(exported(graph) == exported(graph));
  }
}

TEST_CASE(
    "onnx export: every op reads dequantized values, so that a consumer finds only integers") {
  for (const ir::Graph& graph : {testing::lenet_graph(), every_leaf_graph()}) {
    const auto model = parse(exported(graph));
    for (const auto& node : model.graph().node()) {
      CAPTURE(node.name());
      for (const char* op : {"Conv", "Gemm", "Add", "MaxPool", "AveragePool", "GlobalAveragePool",
                             "Concat", "Flatten"}) {
        if (node.op_type() != op) continue;
        for (const std::string& input : node.input()) {
          const auto* source = maker(model.graph(), input);
          REQUIRE(source != nullptr);
          CHECK(source->op_type() == "DequantizeLinear");
        }
      }
      if (node.op_type() == "QuantizeLinear" || node.op_type() == "DequantizeLinear") {
        const auto* scale = initializer(model.graph(), node.input(1));
        REQUIRE(scale != nullptr);  // a constant, of rank 0 for activations
        CHECK((scale->dims_size() == 0 || node.op_type() == "DequantizeLinear"));
      }
    }
  }
}

TEST_CASE("onnx export: a bias has the float32 product of its scales, which consumers compare") {
  const ir::Graph graph = testing::lenet_graph();
  const auto model = parse(exported(graph));
  const auto& g = model.graph();
  const float x = graph.value(graph.input).qparams.scale;
  const auto weight = elements<float>(*initializer(g, "conv1/weight_scale"));
  const auto bias = elements<float>(*initializer(g, "conv1/bias_scale"));
  REQUIRE(bias.size() == 6);
  for (std::size_t c = 0; c < bias.size(); ++c) CHECK(bias[c] == x * weight[c]);
}

TEST_CASE("onnx export: weights are turned to channels first, also the columns behind a flatten") {
  const ir::Graph graph = testing::lenet_graph();
  const auto model = parse(exported(graph));
  const auto conv = elements<std::int8_t>(*initializer(model.graph(), "conv2/weight_codes"));
  const auto ours = graph.constants.at("conv2.weight").as<std::int8_t>();  // [16, 5, 5, 6]
  // o = 3, i = 4, row 1, column 2
  CHECK(conv[((3 * 6 + 4) * 5 + 1) * 5 + 2] == ours[((3 * 5 + 1) * 5 + 2) * 6 + 4]);

  const auto fc = elements<std::int8_t>(*initializer(model.graph(), "fc1/weight_codes"));
  const auto columns = graph.constants.at("fc1.weight").as<std::int8_t>();  // of a 5 x 5 x 16 map
  // output 7; channel 9, row 3, column 4
  CHECK(fc[7 * 400 + (9 * 5 + 3) * 5 + 4] == columns[7 * 400 + (3 * 5 + 4) * 16 + 9]);
}

TEST_CASE("onnx export: clamps that the codes' range does not express stand on the codes") {
  const auto model = parse(exported(testing::small_graph()));
  const auto* clamp = maker(model.graph(), "conv");  // clamp_min 3, clamp_max 250
  REQUIRE(clamp != nullptr);
  CHECK(clamp->op_type() == "Clip");
  CHECK(elements<std::uint8_t>(*initializer(model.graph(), clamp->input(1)))[0] == 3);
  CHECK(elements<std::uint8_t>(*initializer(model.graph(), clamp->input(2)))[0] == 250);
  CHECK(maker(model.graph(), clamp->input(0))->op_type() == "QuantizeLinear");
}

TEST_CASE(
    "onnx export: with fewer than 8 bits the result of every layer is clamped, pools included") {
  testing::EveryLeaf net({});
  testing::randomize(net, 1);
  const auto input = testing::centered_input(3);
  QConfig qconfig = testing::min_max_qconfig();
  qconfig.activation.bits = 4;
  qat::prepare(net, testing::kImage, qconfig);
  testing::calibrate(net, testing::real_images(testing::random_pixels(8, 2), input));
  const auto model = parse(exported(qat::convert(net, testing::convert_options(input))));
  CHECK(complaint(model) == "");
  for (const char* name : {"stem", "join", "residual.conv", "residual", "average", "global"}) {
    CAPTURE(name);
    const auto* clamp = maker(model.graph(), name);
    REQUIRE(clamp != nullptr);
    REQUIRE(clamp->op_type() == "Clip");
    CHECK(elements<std::uint8_t>(*initializer(model.graph(), clamp->input(2)))[0] == 15);
  }
}

TEST_CASE("onnx export: the TensorRT preset has zero points 0, int8 codes and float biases") {
  const ir::Graph graph = every_leaf_graph();
  const auto model = parse(exported(graph, OnnxPreset::kTensorRt));
  int types = 0;
  for (const auto& node : model.graph().node()) {
    if (node.op_type() != "QuantizeLinear") continue;
    const auto* zero_point = initializer(model.graph(), node.input(2));
    REQUIRE(zero_point != nullptr);
    CHECK(zero_point->data_type() == ::onnx::TensorProto::INT8);
    CHECK(elements<std::int8_t>(*zero_point)[0] == 0);
    ++types;
  }
  CHECK(types > 5);
  CHECK(initializer(model.graph(), "stem/bias")->data_type() == ::onnx::TensorProto::FLOAT);
  // An activation behind a ReLU has zero point 0: 255 codes become 127.
  const auto stem = std::find_if(graph.values.begin(), graph.values.end(),
                                 [](const ir::Value& v) { return v.name == "stem"; });
  REQUIRE(stem->qparams.zero_point == 0);
  const auto* quantize = maker(model.graph(), "stem");
  const auto scale = elements<float>(*initializer(model.graph(), quantize->input(1)));
  CHECK(scale[0] == doctest::Approx(stem->qparams.scale * 255.0f / 127.0f));
  // The input has zero point 128 and keeps its scale.
  CHECK(elements<float>(*initializer(model.graph(), maker(model.graph(), "pixels")->input(1)))[0] ==
        0x1p-6f);
  CHECK(count_rescaled(graph) > 0);
}

TEST_CASE("onnx export: float models pass the checker, batch norm kept as a node with its state") {
  testing::EveryLeaf model({});
  testing::randomize(model, 1);
  const auto proto = parse(export_onnx(model, testing::kImage, {.producer_version = "test"}));
  CHECK(complaint(proto) == "");
  CHECK(testing::count(proto.graph(), "BatchNormalization") == 6);
  const auto* mean = initializer(proto.graph(), "stem.bn.running_mean");
  REQUIRE(mean != nullptr);
  const Tensor ours = testing::find(model.named_buffers(), "stem.bn.running_mean");
  CHECK(elements<float>(*mean) == std::vector<float>(ours.data(), ours.data() + ours.numel()));

  for (const char* name : {"lenet", "resnet20"}) {
    const Shape image{32, 32, 3};
    const auto registered = make_model(name, {.image_shape = image, .padding = 0});
    initialize(*registered, 1);
    CHECK(complaint(parse(export_onnx(*registered, image, {}))) == "");
  }
}

TEST_CASE("onnx export: a prepared model is refused") {
  testing::EveryLeaf model({});
  qat::prepare(model, testing::kImage, testing::min_max_qconfig());
  CHECK_THROWS_WITH_AS(export_onnx(model, testing::kImage, {}),
                       "[stem] is prepared for quantization; export the float model, or the "
                       "integer graph",
                       Error);
}

TEST_SUITE_END();

}  // namespace octet
