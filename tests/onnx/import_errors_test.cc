#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/rng.h"
#include "onnx/import.h"
#include "tests/onnx/model_builder.h"

// What import refuses, and that it says which node and why.
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

TEST_CASE("onnx import: what cannot be computed is refused by node and reason") {
  REQUIRE(error_of(small_net().bytes()) == "");
  struct Case {
    const char* what;
    std::function<void(ModelBuilder&)> change;
    const char* message;
  };
  const Case cases[] = {
      {"an unknown op", [](ModelBuilder& b) { b.at(1).set_op_type("Sigmoid"); },
       "m.onnx: [Relu_1] Sigmoid has no layer here (opset 13); of activation functions there are "
       "ReLU and ReLU6"},
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
       "[MaxPool_5] MaxPool dangles: nothing reads what it computes"},
      {"an output that nothing makes",
       [](ModelBuilder& b) { b.model().mutable_graph()->mutable_output(0)->set_name("scores"); },
       "m.onnx: has the output \"scores\", which nothing makes"},
      {"a node that reads itself", [](ModelBuilder& b) { b.at(1).set_input(0, "r"); },
       "[Relu_1] Relu reads \"r\", which [Relu_1] Relu makes only later: the graph has a cycle"},
      {"external data of a Constant node",
       [](ModelBuilder& b) {
         b.at(1).set_op_type("Constant");
         b.at(1).clear_input();
         auto* a = b.at(1).add_attribute();
         a->set_name("value");
         a->set_type(::onnx::AttributeProto::TENSOR);
         a->mutable_t()->set_data_type(::onnx::TensorProto::FLOAT);
         a->mutable_t()->add_external_data()->set_key("location");
       },
       "[Relu_1] Constant keeps its data in another file; external data is not read"},
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
       "[Conv_0] Conv has a bias of 3 elements and rank 1 for 2 channels"},
      {"a kernel larger than the map",
       [](ModelBuilder& b) {
         b.real("w", {2, 1, 9, 9}, 0.1f);
       },
       "[Conv_0] Conv moves a window of 9 x 9 over a map of 6 x 6 padded by [0, 0, 0, 0]"},
      {"a kernel that is not square",
       [](ModelBuilder& b) {
         b.real("w", {2, 1, 3, 1}, 0.1f);
       },
       "[Conv_0] Conv has a kernel of 3 x 1 with pads [0, 0, 0, 0], which does not fit into a "
       "square one"},
      {"dilation",
       [](ModelBuilder& b) {
         b.edit(0).ints("dilations", {2, 2});
       },
       "[Conv_0] Conv is dilated by 2"},
      {"one-sided padding",
       [](ModelBuilder& b) {
         b.edit(2).ints("pads", {0, 0, 1, 1});
       },
       "[MaxPool_2] MaxPool pads by [0, 0, 1, 1]; one padding on all four sides"},
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
       "[Conv_0] Conv has 1 inputs, which it cannot have in opset 13"},
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
      {"an element beyond its type",
       [](ModelBuilder& b) {
         auto* w = b.int8("z", {}, {0}).model().mutable_graph()->mutable_initializer(3);
         w->clear_raw_data();
         w->add_int32_data(1000);
       },
       "initializer \"z\" has the element 1000, which its type cannot hold"},
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
  CHECK(
      with_weight(7).find("[MatMul_2] MatMul has an asymmetric weight: UINT8 with zero point 7") !=
      std::string::npos);

  ModelBuilder other = small_net();
  other.scalar("s", 0.5f).scalar("t", 0.25f).uint8("z", {}, {0});
  other.node("QuantizeLinear", {"r", "s", "z"}, "q");
  other.node("DequantizeLinear", {"q", "t", "z"}, "d");
  CHECK(error_of(other.bytes()).find("[DequantizeLinear_6] DequantizeLinear has another scale") !=
        std::string::npos);
}

TEST_CASE("onnx import: quantized constants of no elements are refused, whatever their extents") {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  ModelBuilder b({1, 1, 1});
  b.uint8("w", {0, 2}, {}).real("s", {2}, 0.5f).uint8("z", {2}, {128, 128});
  auto* w = b.model().mutable_graph()->mutable_initializer(0);
  w->clear_dims();
  for (const std::int64_t dim : {std::int64_t{0}, std::int64_t{2}, kHuge, kHuge}) w->add_dims(dim);
  b.node("Flatten", {"image"}, "f");
  b.node("DequantizeLinear", {"w", "s", "z"}, "wr").integer("axis", 1);
  b.node("MatMul", {"f", "wr"}, "logits");
  CHECK(error_of(b.bytes()).find("[DequantizeLinear_1] DequantizeLinear has no elements") !=
        std::string::npos);
}

TEST_CASE("onnx import: nodes that multiply the file's tensors are refused") {
  ModelBuilder doubled = small_net();  // each Concat joins the one before with itself
  auto* size = doubled.model().mutable_graph()->add_initializer();
  size->set_name("size0");
  size->set_data_type(::onnx::TensorProto::INT64);
  size->add_dims(1);
  size->add_int64_data(1);
  for (int i = 0; i < 40; ++i) {
    const std::string from = "size" + std::to_string(i), to = "size" + std::to_string(i + 1);
    doubled.node("Concat", {from, from}, to).integer("axis", 0);
  }
  CHECK(error_of(doubled.bytes()).find("more than 8 times the elements that the file holds") !=
        std::string::npos);

  ModelBuilder shared({1000, 1, 1});  // one weight, a million elements, in each of many layers
  shared.real("w", {1000, 1000, 1, 1}, 0.1f);
  std::string from = "image";
  for (int i = 0; i < 9; ++i) {
    const std::string to = "c" + std::to_string(i);
    shared.node("Conv", {from, "w"}, to);
    from = to;
  }
  shared.node("Flatten", {from}, "logits");
  CHECK(error_of(shared.bytes()).find("[Conv_8] Conv and the nodes before it make more than 8") !=
        std::string::npos);

  ModelBuilder many = small_net();
  for (int i = 0; i < 1 << 14; ++i) many.node("Identity", {"image"}, "i" + std::to_string(i));
  CHECK(error_of(many.bytes()) == "m.onnx: has 16389 nodes; at most 16384 are supported");
}

TEST_CASE("onnx import: clamps of codes and epsilons beyond all bounds are refused") {
  ModelBuilder b = small_net();
  b.scalar("s", 0.5f).uint8("z", {}, {7});
  for (const auto& [name, value] :
       {std::pair{"low", std::int64_t{7}}, std::pair{"high", INT64_MAX}}) {
    auto* t = b.model().mutable_graph()->add_initializer();
    t->set_name(name);
    t->set_data_type(::onnx::TensorProto::INT64);
    t->add_int64_data(value);
  }
  b.node("QuantizeLinear", {"r", "s", "z"}, "q");
  b.node("Clip", {"q", "low", "high"}, "clipped");
  CHECK(error_of(b.bytes()).find("[Clip_6] Clip needs one integer of the codes' type") !=
        std::string::npos);

  ModelBuilder n({1, 1, 1});
  n.real("w", {1, 1, 1, 1}, 1.0f).real("one", {1}, 1.0f);
  n.node("Conv", {"image", "w"}, "c");
  n.node("BatchNormalization", {"c", "one", "one", "one", "one"}, "logits")
      .real("epsilon", INFINITY);
  CHECK(error_of(n.bytes()).find("has an epsilon of inf") != std::string::npos);
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
