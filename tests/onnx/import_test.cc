#include "onnx/import.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "models/registry.h"
#include "onnx/export.h"
#include "tests/onnx/model_builder.h"
#include "tests/onnx/onnx_model.h"
#include "tests/qat/nets.h"

namespace octet {

using testing::ModelBuilder;

TEST_SUITE_BEGIN("onnx");

namespace {

std::string error_of(const std::vector<std::byte>& bytes, const Shape& image = {}) {
  try {
    parse_onnx(bytes, "m.onnx", image);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Tensor run(Module& model, const Tensor& x) {
  const NoGradGuard no_grad;
  model.eval();
  return model(x);
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.data(), a.data() + a.numel(), b.data());
}

// Convolution, ReLU, max-pool, flatten, linear layer: what the broken graphs are made from.
ModelBuilder small_net() {
  ModelBuilder b({1, 6, 6});
  b.real("w", {2, 1, 3, 3}, 0.1f).real("b", {2}, 0.5f).real("fc", {3, 8}, 0.2f);
  b.node("Conv", {"image", "w", "b"}, "c");
  b.node("Relu", {"c"}, "r");
  b.node("MaxPool", {"r"}, "p").ints("kernel_shape", {2, 2}).ints("strides", {2, 2});
  b.node("Flatten", {"p"}, "f");
  b.node("Gemm", {"f", "fc"}, "logits").integer("transB", 1);
  return b;
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
    CAPTURE(name);
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

TEST_CASE("onnx import: what cannot be computed is refused by node and reason") {
  REQUIRE(error_of(small_net().bytes()) == "");
  struct Case {
    const char* what;
    std::function<void(ModelBuilder&)> change;
    const char* message;
  };
  const Case cases[] = {
      {"an unknown op", [](ModelBuilder& b) { b.at(1).set_op_type("Sigmoid"); },
       "m.onnx: [Relu_1] Sigmoid has no layer here (opset 13); supported are Conv"},
      {"an op in QOperator form", [](ModelBuilder& b) { b.at(0).set_op_type("QLinearConv"); },
       "quantize in QDQ form (QuantFormat.QDQ)"},
      {"another domain", [](ModelBuilder& b) { b.at(1).set_domain("com.microsoft"); },
       "[Relu_1] Relu is an op of the domain \"com.microsoft\""},
      {"a cycle", [](ModelBuilder& b) { b.at(0).set_input(0, "p"); },
       "[Conv_0] Conv reads \"p\", which [MaxPool_2] MaxPool makes only later: the graph has a "
       "cycle"},
      {"a dangling input", [](ModelBuilder& b) { b.at(3).set_input(0, "nothing"); },
       "[Flatten_3] Flatten reads \"nothing\", which nothing makes"},
      {"a dangling output",
       [](ModelBuilder& b) {
         b.node("MaxPool", {"r"}, "d").ints("kernel_shape", {1, 1});
       },
       "[MaxPool_5] MaxPool"},
      {"a value made twice", [](ModelBuilder& b) { b.at(1).set_output(0, "c"); },
       "[Relu_1] Relu makes \"c\", which is made before"},
      {"channels that do not fit",
       [](ModelBuilder& b) {
         b.real("w", {2, 2, 3, 3}, 0.1f);
       },
       "[Conv_0] Conv has a weight for 2 channels per group in 1 groups, its input has 1 channels"},
      {"features that do not fit",
       [](ModelBuilder& b) {
         b.real("fc", {3, 9}, 0.1f);
       },
       "[Gemm_4] Gemm has a weight for 9 features, its input has 8"},
      {"a bias that does not fit", [](ModelBuilder& b) { b.real("b", {3}, 0.1f); },
       "[Conv_0] Conv has a bias of 3 elements for 2 channels"},
      {"a kernel larger than the map",
       [](ModelBuilder& b) {
         b.real("w", {2, 1, 9, 9}, 0.1f);
       },
       "[Conv_0] Conv moves a window of 9 x 9 over a map of 6 x 6 padded by 0"},
      {"a kernel that is not square",
       [](ModelBuilder& b) {
         b.real("w", {2, 1, 3, 1}, 0.1f);
       },
       "[Conv_0] Conv has a kernel of 3 x 1; only square ones are supported"},
      {"dilation",
       [](ModelBuilder& b) {
         b.edit(0).ints("dilations", {2, 2});
       },
       "[Conv_0] Conv is dilated by 2"},
      {"one-sided padding",
       [](ModelBuilder& b) {
         b.edit(0).ints("pads", {0, 0, 1, 1});
       },
       "[Conv_0] Conv pads by [0, 0, 1, 1]; one padding on all four sides"},
      {"a huge stride",
       [](ModelBuilder& b) {
         b.edit(0).ints("strides", {1LL << 62, 1LL << 62});
       },
       "[Conv_0] Conv has strides"},
      {"a weight that is computed", [](ModelBuilder& b) { b.at(4).set_input(1, "f"); },
       "[Gemm_4] Gemm has a computed weight; it must be a constant"},
      {"a missing weight",
       [](ModelBuilder& b) {
         b.at(0).clear_input();
         b.at(0).add_input("image");
       },
       "[Conv_0] Conv has no weight"},
      {"external data",
       [](ModelBuilder& b) {
         b.model().mutable_graph()->mutable_initializer(0)->set_data_location(
             ::onnx::TensorProto::EXTERNAL);
       },
       "initializer \"w\" keeps its data in another file"},
      {"too little data",
       [](ModelBuilder& b) {
         b.model().mutable_graph()->mutable_initializer(0)->set_raw_data("1234");
       },
       "initializer \"w\" has data for 1 elements, its shape has 18"},
      {"a shape that overflows",
       [](ModelBuilder& b) {
         auto* w = b.model().mutable_graph()->mutable_initializer(0);
         w->set_dims(0, 1LL << 62);
         w->set_dims(1, 1LL << 62);
       },
       "initializer \"w\" its number of elements overflows"},
      {"a negative dimension",
       [](ModelBuilder& b) { b.model().mutable_graph()->mutable_initializer(0)->set_dims(0, -2); },
       "initializer \"w\" has a negative dimension -2"},
      {"not a number",
       [](ModelBuilder& b) {
         b.real("w", {2, 1, 3, 3}, NAN);
       },
       "initializer \"w\" has an element that is not finite"},
      {"half floats",
       [](ModelBuilder& b) {
         b.model().mutable_graph()->mutable_initializer(0)->set_data_type(
             ::onnx::TensorProto::FLOAT16);
       },
       "initializer \"w\" has elements of type FLOAT16"},
      {"a newer opset", [](ModelBuilder& b) { b.model().mutable_opset_import(0)->set_version(99); },
       "m.onnx: uses opset 99"},
      {"a second output",
       [](ModelBuilder& b) { b.model().mutable_graph()->add_output()->set_name("r"); },
       "m.onnx: has 2 outputs"},
      {"a second input",
       [](ModelBuilder& b) { b.model().mutable_graph()->add_input()->set_name("i2"); },
       "m.onnx: has several inputs"},
      {"open extents",
       [](ModelBuilder& b) {
         b.model()
             .mutable_graph()
             ->mutable_input(0)
             ->mutable_type()
             ->mutable_tensor_type()
             ->mutable_shape()
             ->mutable_dim(2)
             ->set_dim_param("H");
       },
       "m.onnx: leaves the extents of its images open"},
      {"a Clip that is no ReLU6",
       [](ModelBuilder& b) {
         b.scalar("low", -1.0f).scalar("high", 1.0f);
         b.at(1).set_op_type("Clip");
         b.at(1).add_input("low");
         b.at(1).add_input("high");
       },
       "[Relu_1] Clip clamps to [-1, 1]"},
      {"a subgraph",
       [](ModelBuilder& b) {
         auto* a = b.at(1).add_attribute();
         a->set_name("body");
         a->mutable_g();
       },
       "[Relu_1] Relu has a subgraph"},
  };
  for (const Case& c : cases) {
    CAPTURE(std::string(c.what));
    ModelBuilder b = small_net();
    c.change(b);
    const std::string error = error_of(b.bytes());
    CAPTURE(error);
    CHECK(error.find(c.message) != std::string::npos);
  }
  CHECK(error_of(small_net().bytes(), {8, 8, 1}).find("the data has [8, 8, 1]") !=
        std::string::npos);
}

TEST_CASE("onnx import: quantization without an integer form is refused") {
  const auto with_weight = [](std::uint8_t zero_point) {
    ModelBuilder b({1, 1, 1});
    b.uint8("w", {1, 2}, {1, 2}).scalar("s", 0.5f).uint8("z", {}, {zero_point});
    b.node("Flatten", {"image"}, "f");
    b.node("DequantizeLinear", {"w", "s", "z"}, "wr");
    b.node("MatMul", {"f", "wr"}, "logits");
    return error_of(b.bytes());
  };
  CHECK(with_weight(128) == "");
  CHECK(with_weight(7).find("[DequantizeLinear_1] DequantizeLinear is an asymmetric weight: UINT8 "
                            "with zero point 7") != std::string::npos);

  ModelBuilder b = small_net();
  b.scalar("s", 0.5f).scalar("t", 0.25f).uint8("z", {}, {0});
  b.node("QuantizeLinear", {"r", "s", "z"}, "q1");
  b.node("DequantizeLinear", {"q1", "s", "z"}, "d1");
  b.node("QuantizeLinear", {"d1", "t", "z"}, "q2");
  b.node("DequantizeLinear", {"q2", "t", "z"}, "d2");
  b.node("GlobalAveragePool", {"d2"}, "g");
  CHECK(error_of(b.bytes()).find("[GlobalAveragePool_9] GlobalAveragePool reads a value that was "
                                 "quantized twice") != std::string::npos);

  ModelBuilder other = small_net();
  other.scalar("s", 0.5f).scalar("t", 0.25f).uint8("z", {}, {0});
  other.node("QuantizeLinear", {"r", "s", "z"}, "q");
  other.node("DequantizeLinear", {"q", "t", "z"}, "d");
  CHECK(error_of(other.bytes()).find("[DequantizeLinear_6] DequantizeLinear has another scale") !=
        std::string::npos);
}

TEST_CASE("onnx import: a file that is cut anywhere, or not ONNX, is an error and never a crash") {
  const std::vector<std::byte> bytes = small_net().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    CHECK(error_of({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)})
              .rfind("m.onnx: ", 0) == 0);
  }
  CHECK(error_of(std::vector<std::byte>(100, std::byte{0xff})).rfind("m.onnx: ", 0) == 0);
}

TEST_CASE("onnx import: a file with any byte changed is read or refused, and never a crash") {
  const std::vector<std::byte> bytes = small_net().bytes();
  Rng rng(1, RngPurpose::kTest);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::byte> changed = bytes;
    for (int k = 0; k < 3; ++k) {
      changed[rng.below(static_cast<std::uint32_t>(bytes.size()))] =
          static_cast<std::byte>(rng.below(256));
    }
    const std::string error = error_of(changed);
    CHECK((error.empty() || error.rfind("m.onnx: ", 0) == 0));
  }
}

TEST_SUITE_END();

}  // namespace octet
