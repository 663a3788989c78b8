#include "onnx/import.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/registry.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"
#include "tests/onnx/onnx_model.h"
#include "tests/qat/nets.h"

namespace octet {

using testing::ModelBuilder;

TEST_SUITE_BEGIN("onnx");

namespace {

Tensor run(Module& model, const Tensor& x) {
  const NoGradGuard no_grad;
  model.eval();
  return model(x);
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.data(), a.data() + a.numel(), b.data());
}

}  // namespace

TEST_CASE("onnx import: a float model comes back from its export with the same logits") {
  for (const bool norm : {false, true}) {
    testing::EveryLeaf model({.norm = norm ? Norm::kBatch : Norm::kNone});
    testing::randomize(model, 1);
    const auto imported = parse_onnx(export_onnx(model, testing::kImage, {}), "m.onnx");
    CHECK(imported.image_shape == testing::kImage);
    CHECK(imported.classes == 5);
    CHECK(imported.quantization.empty());
    const Tensor x = testing::randn({3, 8, 8, 3}, 2);
    CHECK(testing::allclose(run(*imported.model, x), run(model, x)));
  }
}

TEST_CASE("onnx import: registered models come back with their parameters' names and bits") {
  const Shape image{32, 32, 3};
  for (const char* name : {"lenet", "lenet_bn", "resnet20"}) {
    CAPTURE(name);
    const auto model = make_model(name, {.image_shape = image, .padding = 0});
    testing::randomize(*model, 1);
    const auto imported = parse_onnx(export_onnx(*model, image, {}), "m.onnx");
    const auto before = model->named_parameters(), after = imported.model->named_parameters();
    REQUIRE(before.size() == after.size());
    for (const NamedTensor& t : before) {
      CAPTURE(t.name);
      CHECK(equal(testing::find(after, t.name), t.tensor));
    }
    const Tensor x = testing::randn({2, 32, 32, 3}, 2);
    CHECK(testing::allclose(run(*imported.model, x), run(*model, x)));
  }
}

TEST_CASE("onnx import: an integer model comes back from its QDQ export with the same integers") {
  const auto input = testing::centered_input(3);
  testing::EveryLeaf model({});
  testing::randomize(model, 1);
  qat::prepare(model, testing::kImage, testing::min_max_qconfig());
  testing::calibrate(model, testing::real_images(testing::random_pixels(8, 2), input));
  const ir::Graph graph = qat::convert(model, testing::convert_options(input));

  OnnxModel imported =
      parse_onnx(export_onnx(graph, OnnxPreset::kQdq, {}), "m.onnx", testing::kImage);
  REQUIRE(imported.pixels.has_value());
  CHECK(*imported.pixels == input.qparams);
  qat::prepare(*imported.model, testing::kImage, testing::min_max_qconfig());
  testing::calibrate(*imported.model, testing::real_images(testing::random_pixels(1, 9), input));
  apply_quantization(*imported.model, imported.quantization);
  const ir::Graph again = qat::convert(*imported.model, testing::convert_options(input));
  // A shortcut is a layer of its own now, so names differ; scales, codes and constants do not.
  int compared = 0;
  for (const auto& [name, constant] : graph.constants) {
    std::string theirs = name;
    const auto it = again.constants.find(theirs);
    if (it == again.constants.end()) continue;
    if (name.ends_with(".weight")) CHECK(it->second.bytes == constant.bytes);
    ++compared;
  }
  CHECK(compared >= 20);
  const auto pixels = testing::random_pixels(16, 3);
  const Tensor x = qat::input_codes(pixels, {16, 8, 8, 3}, input);
  const Tensor ours = run(model, x), theirs = run(*imported.model, x);
  REQUIRE(ours.shape() == theirs.shape());
  for (std::int64_t i = 0; i < ours.numel(); ++i) {
    // Biases pass through float32, whose rounding may move an accumulator by one: 64 in a logit.
    CHECK(std::abs(ours.data<std::int32_t>()[i] - theirs.data<std::int32_t>()[i]) <= 256);
  }
}

TEST_CASE("onnx import: batch norm's own epsilon and a bias before it are taken up") {
  ModelBuilder b({1, 4, 4});
  b.real("w", {2, 1, 1, 1}, 1.0f)
      .real("b", {2}, 0.5f)
      .real("g", {2}, 2.0f)
      .real("beta", {2}, 0.25f);
  b.real("mean", {2}, 0.125f).real("var", {2}, 3.0f).real("fc", {1, 2}, 1.0f);
  b.node("Conv", {"image", "w", "b"}, "c");
  b.node("BatchNormalization", {"c", "g", "beta", "mean", "var"}, "n").real("epsilon", 1.0f);
  b.node("GlobalAveragePool", {"n"}, "p");
  b.node("Flatten", {"p"}, "f");
  b.node("Gemm", {"f", "fc"}, "logits").integer("transB", 1);
  const auto imported = parse_onnx(b.bytes(), "m.onnx");
  const Tensor y = run(*imported.model, Tensor::full({1, 4, 4, 1}, 1.0f));
  // 2 channels of 2 (1 + 0.5 - 0.125) / sqrt(3 + 1) + 0.25 = 1.625
  CHECK(y.data()[0] == doctest::Approx(2 * 1.625).epsilon(1e-5));
}

TEST_CASE(
    "onnx import: a ReLU behind a max-pool is the convolution's, and MatMul + Add is linear") {
  ModelBuilder b({1, 2, 2});
  b.real("w", {1, 1, 1, 1}, 1.0f).real("fc", {1, 2}, 1.0f).real("fc_b", {2}, 0.5f);
  b.node("Conv", {"image", "w"}, "c");
  b.node("MaxPool", {"c"}, "p").ints("kernel_shape", {2, 2}).ints("strides", {2, 2});
  b.node("Relu", {"p"}, "r");
  b.node("Flatten", {"r"}, "f");
  b.node("MatMul", {"f", "fc"}, "m");
  b.node("Add", {"m", "fc_b"}, "s");
  b.node("Softmax", {"s"}, "logits").integer("axis", 1);
  const auto imported = parse_onnx(b.bytes(), "m.onnx");
  CHECK(run(*imported.model, Tensor::full({1, 2, 2, 1}, -3.0f)).data()[1] == 0.5f);
  CHECK(run(*imported.model, Tensor::full({1, 2, 2, 1}, 3.0f)).data()[1] == 3.5f);
}

TEST_CASE("onnx import: int8 activations come in by 128, symmetric uint8 weights by -128") {
  ModelBuilder b({1, 2, 2});
  b.scalar("sx", 0.5f).int8("zx", {}, {-28}).uint8("w", {1, 4}, {128, 129, 130, 120});
  b.scalar("sw", 0.25f).uint8("zw", {}, {128});
  b.node("QuantizeLinear", {"image", "sx", "zx"}, "q");
  b.node("DequantizeLinear", {"q", "sx", "zx"}, "x");
  b.node("GlobalAveragePool", {"x"}, "g");
  b.node("QuantizeLinear", {"g", "sx", "zx"}, "gq");
  b.node("DequantizeLinear", {"gq", "sx", "zx"}, "gx");
  b.node("Flatten", {"gx"}, "f");
  b.node("DequantizeLinear", {"w", "sw", "zw"}, "wr");
  b.node("MatMul", {"f", "wr"}, "logits");
  const auto imported = parse_onnx(b.bytes(), "m.onnx");
  REQUIRE(imported.quantization.size() == 2);
  CHECK(*imported.quantization[0].activation == QParams{0.5f, 100});
  CHECK(imported.quantization[1].weight_scale == std::vector<float>{0.25f});
  const Tensor w = imported.model->named_parameters()[0].tensor;
  CHECK(std::vector<float>(w.data(), w.data() + 4) == std::vector<float>{0.0f, 0.25f, 0.5f, -2.0f});
}

TEST_CASE("onnx import: codes that begin with 0 are a ReLU, but not of the logits") {
  ModelBuilder b({1, 1, 1});
  b.real("w", {1, 1, 1, 1}, 1.0f).real("fc", {1, 1}, 1.0f).scalar("s", 0.5f).int8("z", {}, {-128});
  b.node("Conv", {"image", "w"}, "c");
  b.node("QuantizeLinear", {"c", "s", "z"}, "q");
  b.node("DequantizeLinear", {"q", "s", "z"}, "d");
  b.node("Flatten", {"d"}, "f");
  b.node("Gemm", {"f", "fc"}, "g");
  b.node("QuantizeLinear", {"g", "s", "z"}, "gq");
  b.node("DequantizeLinear", {"gq", "s", "z"}, "logits");
  const auto imported = parse_onnx(b.bytes(), "m.onnx");
  for (const auto& [name, leaf] : named_leaves(*imported.model)) {
    if (const auto* conv = dynamic_cast<const ConvBnAct*>(leaf)) {
      CHECK(conv->options().act == Act::kRelu);
    }
    if (const auto* linear = dynamic_cast<const Linear*>(leaf)) {
      CHECK(linear->options().act == Act::kNone);
    }
  }
}

TEST_SUITE_END();

}  // namespace octet
