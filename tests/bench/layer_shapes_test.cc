#include "bench/layer_shapes.h"

#include <doctest/doctest.h>

#include "models/lenet.h"
#include "models/registry.h"
#include "nn/add_act.h"

namespace octet {
namespace {

constexpr std::int64_t kConv1 = 28 * 28 * 6 * 25, kConv2 = 10 * 10 * 16 * (25 * 6),
                       kLinear = 400 * 120 + 120 * 84 + 84 * 10;

TEST_CASE("layer_shapes: LeNet's layers with their inputs, and the products counted by hand") {
  LeNet model({.image_shape = {28, 28, 1}});
  const auto layers = layer_shapes(model, {28, 28, 1}, 16);
  REQUIRE(layers.size() == 5);
  CHECK(layers[1].name == "conv2");
  CHECK(layers[1].shape.batch == 16);
  CHECK(layers[1].shape.height == 14);
  CHECK(layers[1].shape.in == 6);
  CHECK(layers[2].shape.in == 400);
  CHECK(layers[0].reads_image);
  CHECK_FALSE(layers[1].reads_image);
  CHECK(macs(layers[0].shape) == 16 * kConv1);
  CHECK(macs(layers[1].shape) == 16 * kConv2);

  const ModelMacs work = macs_per_image(layers);
  CHECK(work.forward == kConv1 + kConv2 + kLinear);
  CHECK(work.training == 2 * kConv1 + 3 * (kConv2 + kLinear));
}

TEST_CASE("activations_per_image: the sum over LeNet's leaves, and the largest") {
  LeNet model({.image_shape = {28, 28, 1}});
  const Activations count = activations_per_image(model, {28, 28, 1});
  CHECK(count.largest == 28 * 28 * 6);
  CHECK(count.all == 28 * 28 * 6 + 14 * 14 * 6 + 10 * 10 * 16 + 5 * 5 * 16 + 400 + 120 + 84 + 10);
}

// A stem, a stage of two blocks whose convolutions are alike, with a stride and groups.
class Net final : public Module {
 public:
  Net()
      : stem_(add<ConvBnAct>("stem", {.in = 3, .out = 8, .kernel = 3, .padding = 1})),
        a_(add<ConvBnAct>("a", {.in = 8, .out = 8, .kernel = 3, .padding = 1})),
        b_(add<ConvBnAct>("b", {.in = 8, .out = 8, .kernel = 3, .padding = 1})),
        add_(add<AddAct>("add")),
        down_(add<ConvBnAct>(
            "down", {.in = 8, .out = 16, .kernel = 3, .stride = 2, .padding = 1, .groups = 2})) {}

 private:
  Tensor forward(const Tensor& x) override {
    const Tensor y = stem_(x);
    return down_(add_(b_(a_(y)), y));
  }
  ConvBnAct &stem_, &a_, &b_;
  AddAct& add_;
  ConvBnAct& down_;
};

TEST_CASE("distinct: layers alike count together, strides and groups are part of the products") {
  Net model;
  const auto all = layer_shapes(model, {9, 9, 3}, 2);
  const auto kinds = distinct(all);
  REQUIRE(all.size() == 4);
  REQUIRE(kinds.size() == 3);
  CHECK(kinds[1].name == "a");
  CHECK(kinds[1].count == 2);
  CHECK(macs(kinds[2].shape) == 2 * (5 * 5) * 16 * (9 * 4));
  CHECK(macs_per_image(kinds).forward == macs_per_image(all).forward);
  CHECK(macs_per_image(kinds).training == macs_per_image(all).training);
}

TEST_CASE("distinct: a layer that reads the image stands alone, since it has one pass less") {
  class Twice final : public Module {
   public:
    Twice()
        : a_(add<ConvBnAct>("a", {.in = 4, .out = 4})),
          b_(add<ConvBnAct>("b", {.in = 4, .out = 4})) {}

   private:
    Tensor forward(const Tensor& x) override { return b_(a_(x)); }
    ConvBnAct &a_, &b_;
  };
  Twice model;
  CHECK(distinct(layer_shapes(model, {5, 5, 4}, 1)).size() == 2);
}

TEST_CASE("layer_shapes: ResNet-50 has 53 convolutions and a linear layer, 1.298 GMAC per image") {
  const auto model = make_model("resnet50", {.image_shape = {32, 32, 3}});
  const auto layers = layer_shapes(*model, {32, 32, 3}, 1);
  CHECK(layers.size() == 54);
  CHECK(macs_per_image(layers).forward == 1297829888);
}

// A leaf with a weight that nobody here knows.
class Scale final : public Leaf {
 public:
  struct Options {};
  explicit Scale(Options) { weight_ = add_parameter("weight", Tensor::zeros({3, 3})); }
  ir::ValueId lower(Lowering&) const override { throw Error("has no integer form"); }

 private:
  Tensor forward(Inputs x) override { return x[0].clone(); }
  Tensor weight_;
};

TEST_CASE("layer_shapes: an unknown layer with weights is an error, not left out") {
  class Unknown final : public Module {
   public:
    Unknown() : scale_(add<Scale>("scale")) {}

   private:
    Tensor forward(const Tensor& x) override { return scale_(x); }
    Scale& scale_;
  };
  Unknown model;
  CHECK_THROWS_WITH_AS(layer_shapes(model, {4, 4, 3}, 1), doctest::Contains("[scale]"), Error);
}

}  // namespace
}  // namespace octet
