#include "models/lenet.h"

#include "models/registry.h"
#include "qat/verify.h"
#include "tests/qat/nets.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

Shape shape_of(const Module& model, const std::string& name) {
  return find(model.named_parameters(), name).shape();
}

}  // namespace

TEST_CASE("lenet: the inputs of fc1 follow from the image and the padding") {
  struct Case {
    Shape image;
    std::int64_t padding, inputs;
  };
  for (const Case& c :
       {Case{{28, 28, 1}, 2, 400}, Case{{28, 28, 1}, 0, 256}, Case{{32, 32, 3}, 0, 400},
        Case{{32, 32, 3}, 2, 576}, Case{{28, 40, 1}, 2, 640}, Case{{16, 16, 1}, 0, 16}}) {
    CAPTURE(c.image);
    const auto model = make_model("lenet", {.image_shape = c.image, .padding = c.padding});
    CHECK(shape_of(*model, "fc1.weight") == Shape{120, c.inputs});
    CHECK(shape_of(*model, "conv1.weight") == Shape{6, 5, 5, c.image[2]});
    initialize(*model, 1);
    model->eval();
    const Tensor x = Tensor::zeros({2, c.image[0], c.image[1], c.image[2]});
    CHECK((*model)(x).shape() == Shape{2, 10});
  }
  CHECK_THROWS_AS(make_model("lenet", {.image_shape = {15, 15, 1}, .padding = 0}), Error);
  CHECK_THROWS_AS(make_model("lenet", {.image_shape = {28, 28}}), Error);
}

TEST_CASE("lenet: d2l's geometry has 61706 parameters") {
  const auto model = make_model("lenet", {.image_shape = {28, 28, 1}});
  std::int64_t count = 0;
  for (const NamedTensor& t : model->named_parameters()) count += t.tensor.numel();
  CHECK(count == 61706);
}

TEST_CASE("registry: an unknown model is told the nearest") {
  for (const std::string& name : registered_models()) {
    CHECK(make_model(name, {.image_shape = {32, 32, 3}}) != nullptr);
  }
  CHECK_THROWS_WITH_AS(make_model("lenet_nb", {.image_shape = {28, 28, 1}}),
                       doctest::Contains("did you mean \"lenet_bn\"?"), UsageError);
}

TEST_CASE("lenet: the twin and the integer graph agree in every tensor") {
  const Shape image{28, 28, 1};
  const qat::InputEncoding input{{1.0f / 255.0f, 0}, centered_input(1).table};
  for (const std::string name : {"lenet", "lenet_bn"}) {
    for (const std::int64_t padding : {2, 0}) {
      CAPTURE(name);
      CAPTURE(padding);
      const auto model = make_model(name, {.image_shape = image, .padding = padding});
      randomize(*model, 1);
      qat::prepare(*model, image, {});
      calibrate(*model, real_images(random_pixels(8, 1, image), input, image));
      const ir::Graph graph = qat::convert(*model, convert_options(input, image));
      const qat::VerifyReport report =
          qat::verify(*model, graph, random_pixels(32, 2, image), {.input = input});
      CHECK(report.tensors == 8);
      CHECK(report.elements > 32 * 5000);
      CHECK(report.mismatched == 0);
      CHECK(report.first_mismatch == "");
    }
  }
}

}  // namespace octet
