#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "base/error.h"
#include "onnx/import.h"
#include "tests/onnx/model_builder.h"
#include "tests/qat/nets.h"

// Files that mean something else than what import would compute: each is refused by node and
// reason, or computed as it is meant. differential.pb has more, with ONNX Runtime's values.
namespace octet {

using testing::ModelBuilder;

TEST_SUITE_BEGIN("onnx");

namespace {

std::string error_of(const ModelBuilder& b) {
  try {
    parse_onnx(b.bytes(), "m.onnx");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& error, const std::string& what) {
  return error.find(what) != std::string::npos;
}

// 0: Conv, 1: BatchNormalization, 2: Relu, 3: Flatten, 4: Dropout, 5: Gemm, 6: Softmax
ModelBuilder net() {
  ModelBuilder b({1, 4, 4});
  b.real("w", {2, 1, 4, 4}, 0.1f).real("one", {2}, 1.0f).real("fc", {3, 2}, 0.2f);
  b.real("fc_b", {3}, 0.5f);
  b.node("Conv", {"image", "w"}, "c");
  b.node("BatchNormalization", {"c", "one", "one", "one", "one"}, "n");
  b.node("Relu", {"n"}, "r");
  b.node("Flatten", {"r"}, "f");
  b.node("Dropout", {"f"}, "d");
  b.node("Gemm", {"d", "fc", "fc_b"}, "g").integer("transB", 1);
  b.node("Softmax", {"g"}, "logits").integer("axis", 1);
  return b;
}

// Conv, quantized with scale 0.5 and `zero_point`, and what `more` puts behind "real".
ModelBuilder quantized_net(std::uint8_t zero_point,
                           const std::function<void(ModelBuilder&)>& more) {
  ModelBuilder b({1, 4, 4});
  b.real("w", {2, 1, 4, 4}, 0.1f).real("fc", {3, 2}, 0.2f);
  b.scalar("s", 0.5f).scalar("t", 0.25f).uint8("z", {}, {zero_point});
  b.node("Conv", {"image", "w"}, "c");
  b.node("QuantizeLinear", {"c", "s", "z"}, "q");
  b.node("DequantizeLinear", {"q", "s", "z"}, "real");
  more(b);
  b.node("Flatten", {"x"}, "f");
  b.node("Gemm", {"f", "fc"}, "logits").integer("transB", 1);
  return b;
}

}  // namespace

TEST_CASE("onnx import: an attribute or input that would be ignored is refused") {
  REQUIRE(error_of(net()) == "");
  struct Case {
    const char* what;
    std::function<void(ModelBuilder&)> change;
    const char* message;
  };
  const Case cases[] = {
      {"one that is there twice",
       [](ModelBuilder& b) {
         b.edit(0).ints("strides", {1, 1}).ints("strides", {2, 2});
       },
       "[Conv_0] Conv has the attribute \"strides\" twice"},
      {"one that no op has", [](ModelBuilder& b) { b.edit(0).integer("stride", 2); },
       "[Conv_0] Conv has an attribute \"stride\", which it does not have in opset 13"},
      {"one of an older opset", [](ModelBuilder& b) { b.edit(1).integer("spatial", 0); },
       "[BatchNormalization_1] BatchNormalization has an attribute \"spatial\""},
      {"one that means something else",
       [](ModelBuilder& b) {
         b.model().mutable_opset_import(0)->set_version(7);
         b.edit(1).integer("spatial", 0);
       },
       "[BatchNormalization_1] BatchNormalization normalizes each element"},
      {"an input of a newer opset",
       [](ModelBuilder& b) {
         b.scalar("low", 0.0f).model().mutable_opset_import(0)->set_version(10);
         b.at(2).set_op_type("Clip");
         b.at(2).add_input("low");
       },
       "[Relu_2] Clip has 2 inputs, which it cannot have in opset 10"},
      {"a third factor",
       [](ModelBuilder& b) {
         b.at(5).set_op_type("MatMul");
         b.at(5).clear_attribute();
       },
       "[Gemm_5] MatMul has 3 inputs"},
      {"training",
       [](ModelBuilder& b) {
         auto* t = b.model().mutable_graph()->add_initializer();
         t->set_name("training");
         t->set_data_type(::onnx::TensorProto::BOOL);
         t->add_int32_data(1);
         b.scalar("ratio", 0.5f).at(4).add_input("ratio");
         b.at(4).add_input("training");
       },
       "[Dropout_4] Dropout is in training mode"},
      {"a bias for each image",
       [](ModelBuilder& b) {
         b.real("fc_b", {3, 1}, 0.5f);
       },
       "[Gemm_5] Gemm has a bias (C) of shape [3, 1]"},
      {"a bias with an axis too many",
       [](ModelBuilder& b) {
         b.real("fc_b", {1, 1, 3}, 0.5f);
       },
       "[Gemm_5] Gemm has a bias (C) of shape [1, 1, 3]"},
      {"a Softmax over the batch", [](ModelBuilder& b) { b.at(6).mutable_attribute(0)->set_i(0); },
       "[Softmax_6] Softmax runs along axis 0"},
      {"a Softmax in the middle",
       [](ModelBuilder& b) {
         b.at(6).set_output(0, "p");
         b.node("Gemm", {"p", "fc"}, "logits");
       },
       "[Gemm_7] Gemm reads what a Softmax gives"},
      {"an unknown padding",
       [](ModelBuilder& b) {
         auto* a = b.at(0).add_attribute();
         a->set_name("auto_pad");
         a->set_type(::onnx::AttributeProto::STRING);
         a->set_s("SAME");
       },
       "[Conv_0] Conv has auto_pad \"SAME\""},
      {"zeros of a shape that copy nothing",
       [](ModelBuilder& b) {
         auto* t = b.model().mutable_graph()->add_initializer();
         t->set_name("shape");
         t->set_data_type(::onnx::TensorProto::INT64);
         t->add_dims(2);
         t->add_int64_data(0);
         t->add_int64_data(2);
         b.model().mutable_opset_import(0)->set_version(14);
         b.at(3).set_op_type("Reshape");
         b.at(3).add_input("shape");
         b.edit(3).integer("allowzero", 1);
       },
       "[Flatten_3] Reshape reshapes 2 numbers per image"},
      {"two opsets",
       [](ModelBuilder& b) {
         auto* opset = b.model().add_opset_import();
         opset->set_domain("ai.onnx");
         opset->set_version(9);
       },
       "m.onnx: says that it uses opset 13, and also 9"},
  };
  for (const Case& c : cases) {
    CAPTURE(std::string(c.what));
    ModelBuilder b = net();
    c.change(b);
    const std::string error = error_of(b);
    CAPTURE(error);
    CHECK(says(error, c.message));
  }
}

TEST_CASE("onnx import: quantization that one layer cannot have for all its readers is refused") {
  // "c" is read as codes that have no negative numbers, and as real numbers that have.
  const auto beside = [](std::uint8_t zero_point) {
    return error_of(quantized_net(zero_point, [](ModelBuilder& b) {
      b.node("Add", {"real", "c"}, "x");
    }));
  };
  CHECK(
      says(beside(0), "[Conv_0] Conv is read as real numbers by one node and by another as codes"));
  CHECK(beside(100) == "");
  const std::string differently = error_of(quantized_net(0, [](ModelBuilder& b) {
    b.node("QuantizeLinear", {"c", "t", "z"}, "q2");
    b.node("DequantizeLinear", {"q2", "t", "z"}, "real2");
    b.node("Add", {"real", "real2"}, "x");
  }));
  CHECK(says(differently, "[Conv_0] Conv is quantized by its readers differently"));

  ModelBuilder pixels({1, 2, 2});
  pixels.model()
      .mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->set_elem_type(::onnx::TensorProto::UINT8);
  pixels.scalar("s", 0.5f).scalar("t", 0.25f);
  pixels.node("DequantizeLinear", {"image", "s"}, "a");
  pixels.node("DequantizeLinear", {"image", "t"}, "b");
  pixels.node("Add", {"a", "b"}, "c");
  pixels.node("Flatten", {"c"}, "logits");
  CHECK(says(error_of(pixels),
             "[DequantizeLinear_1] DequantizeLinear takes pixels as other numbers"));
}

TEST_CASE(
    "onnx import: a second quantization, and a ReLU behind one, are what they are in the file") {
  const ModelBuilder b = quantized_net(100, [](ModelBuilder& m) {
    m.node("Relu", {"real"}, "r");
    m.node("QuantizeLinear", {"r", "t"}, "q2");
    m.node("DequantizeLinear", {"q2", "t"}, "x");
  });
  const auto imported = parse_onnx(b.bytes(), "m.onnx");
  REQUIRE(imported.quantization.size() == 2);
  CHECK(*imported.quantization[0].activation == QParams{0.5f, 100});
  CHECK(imported.quantization[1].leaf == "Conv_0.requantize");
  CHECK(*imported.quantization[1].activation == QParams{0.25f, 0});
}

TEST_CASE("onnx import: the type of codes without a zero point is what output_dtype says") {
  for (const bool is_signed : {false, true}) {
    ModelBuilder b({1, 4, 4});
    b.model().mutable_opset_import(0)->set_version(21);
    b.real("w", {2, 1, 4, 4}, 0.1f).scalar("s", 0.5f);
    b.node("Conv", {"image", "w"}, "c");
    auto q = b.node("QuantizeLinear", {"c", "s"}, "q");
    if (is_signed) q.integer("output_dtype", ::onnx::TensorProto::INT8);
    b.node("DequantizeLinear", {"q", "s"}, "x");
    b.node("Flatten", {"x"}, "logits");
    const auto imported = parse_onnx(b.bytes(), "m.onnx");
    CHECK(*imported.quantization[0].activation == QParams{0.5f, is_signed ? 128 : 0});
  }
}

TEST_CASE("onnx import: weights keep the code -128, and a file of 8 bits is not run in fewer") {
  ModelBuilder b({1, 1, 1});
  b.int8("w", {1, 2}, {-128, 127}).scalar("s", 0.5f).int8("z", {}, {0});
  b.node("Flatten", {"image"}, "f");
  b.node("DequantizeLinear", {"w", "s", "z"}, "wr");
  b.node("MatMul", {"f", "wr"}, "logits");
  for (const int bits : {8, 4}) {
    auto imported = parse_onnx(b.bytes(), "m.onnx");
    QConfig qconfig = testing::min_max_qconfig();
    qconfig.weight.bits = bits;
    qat::prepare(*imported.model, {1, 1, 1}, qconfig);
    testing::calibrate(*imported.model, Tensor::full({1, 1, 1, 1}, 1.0f));
    if (bits != 8) {
      CHECK_THROWS_WITH_AS(apply_quantization(*imported.model, imported.quantization),
                           "[MatMul_2] has 8 bits in the file and 4 in the configuration; leave "
                           "quantize.*.bits at 8",
                           Error);
      continue;
    }
    apply_quantization(*imported.model, imported.quantization);
    const ir::Graph graph = qat::convert(
        *imported.model, testing::convert_options(testing::centered_input(1), {1, 1, 1}));
    const auto codes = graph.constants.at("MatMul_2.weight").as<std::int8_t>();
    CHECK(std::vector<int>(codes.begin(), codes.end()) == std::vector<int>{-128, 127});
  }
}

TEST_CASE("onnx import: the classes of a flattened map stand in the file's order") {
  ModelBuilder b({1, 1, 2});
  b.real("w", {2, 1, 1, 1}, 1.0f).real("b", {2}, 0.0f);
  b.node("Conv", {"image", "w", "b"}, "c");
  b.node("Flatten", {"c"}, "logits");
  const auto imported = parse_onnx(b.bytes(), "m.onnx");
  Tensor x = Tensor::zeros({1, 1, 2, 1});
  x.mutable_data()[1] = 1.0f;
  const NoGradGuard no_grad;
  const Tensor y = (*imported.model)(x);  // both channels of pixel 0, then of pixel 1, are ours
  CHECK(std::vector<float>(y.data(), y.data() + 4) == std::vector<float>{0.0f, 1.0f, 0.0f, 1.0f});
}

TEST_SUITE_END();

}  // namespace octet
