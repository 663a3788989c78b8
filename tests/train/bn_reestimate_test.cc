#include "train/bn_reestimate.h"

#include "base/rng.h"
#include "data/in_memory.h"
#include "nn/conv_bn_act.h"
#include "nn/dropout.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

class Net final : public Module {
 public:
  explicit Net(float p) : drop_(add<Dropout>("drop", {.p = p})) {
    initialize(*this, 1);
    // The first convolution passes the pixels on: its statistics are those of the images.
    conv1_.named_parameters()[0].tensor.mutable_data()[0] = 1.0f;
  }

 private:
  Tensor forward(const Tensor& x) override { return fc_(flatten_(conv2_(drop_(conv1_(x))))); }

  ConvBnAct& conv1_ = add<ConvBnAct>("conv1", {.in = 1, .out = 1});
  Dropout& drop_;
  ConvBnAct& conv2_ = add<ConvBnAct>("conv2", {.in = 1, .out = 3, .kernel = 3, .act = Act::kNone});
  Flatten& flatten_ = add<Flatten>("flatten");
  Linear& fc_ = add<Linear>("fc", {.in = 12, .out = 2});
};

// 20 images of 4 x 4: five batches of 4.
DataLoader loader() {
  Rng rng(1, RngPurpose::kTest);
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 20; ++i) {
    for (int k = 0; k < 16; ++k) pixels.push_back(static_cast<std::uint8_t>(rng.below(10 * i + 9)));
    labels.push_back(i % 2);
  }
  return DataLoader(
      std::make_shared<InMemoryDataset>(Shape{4, 4, 1}, std::move(pixels), std::move(labels),
                                        std::vector<std::string>{"a", "b"}),
      {.batch_size = 4, .normalization = {.mean = {0.0f}, .std = {1.0f}}});
}

Tensor buffer(const Net& net, const std::string& name) {
  for (const NamedTensor& t : net.named_buffers()) {
    if (t.name == name) return t.tensor;
  }
  throw Error("no buffer " + name);
}

}  // namespace

TEST_CASE("bn re-estimation: the average of the batches' means and unbiased variances") {
  for (const std::int64_t batches : {1, 3, 5, 99}) {
    CAPTURE(batches);
    Net net(0.0f);
    reestimate_bn_stats(net, loader(), batches);
    double mean = 0.0, var = 0.0;
    const std::int64_t count = std::min<std::int64_t>(batches, 5);
    for (std::int64_t b = 0; b < count; ++b) {
      const Tensor x = loader().batch(0, b).images;
      const auto n = static_cast<double>(x.numel());
      double sum = 0.0, squares = 0.0;
      for (std::int64_t i = 0; i < x.numel(); ++i) sum += double{x.data()[i]};
      for (std::int64_t i = 0; i < x.numel(); ++i) {
        const double d = double{x.data()[i]} - sum / n;
        squares += d * d;
      }
      mean += sum / n / static_cast<double>(count);
      var += squares / (n - 1.0) / static_cast<double>(count);
    }
    CHECK_ALLCLOSE(buffer(net, "conv1.bn.running_mean"),
                   Tensor::full({1}, static_cast<float>(mean)));
    CHECK_ALLCLOSE(buffer(net, "conv1.bn.running_var"), Tensor::full({1}, static_cast<float>(var)));
  }
}

TEST_CASE("bn re-estimation: a function of weights and images alone, and it moves nothing else") {
  Net expected(0.0f);
  reestimate_bn_stats(expected, loader(), 5);
  for_each_threads([&](int) {
    Net net(0.75f);  // nothing is dropped
    for (const NamedTensor& t : net.named_buffers()) {
      Tensor statistics = t.tensor;
      std::fill_n(statistics.mutable_data(), statistics.numel(), 7.0f);
    }
    net.children()[0].second->eval();
    reestimate_bn_stats(net, loader(), 5);
    const auto left = net.named_buffers(), right = expected.named_buffers();
    for (std::size_t i = 0; i < left.size(); ++i) {
      CHECK_SAME_BITS(left[i].tensor, right[i].tensor);
    }
    const auto parameters = net.named_parameters();
    const Net fresh(0.0f);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      CHECK_SAME_BITS(parameters[i].tensor, fresh.named_parameters()[i].tensor);
      CHECK_FALSE(parameters[i].tensor.grad().defined());
    }
    CHECK(net.is_training());
    CHECK_FALSE(net.children()[0].second->is_training());
    CHECK(net.children()[1].second->is_training());
  });
}

TEST_CASE("bn re-estimation: afterwards training goes on with its own momentum") {
  Net net(0.0f);
  reestimate_bn_stats(net, loader(), 5);
  const float before = buffer(net, "conv1.bn.running_mean").item();
  const NoGradGuard no_grad;
  const Tensor x = Tensor::full({4, 4, 4, 1}, 2.0f);
  set_dropout_position(net, {.seed = 1, .epoch = 0, .first_index = 0});
  net(x);
  CHECK(buffer(net, "conv1.bn.running_mean").item() ==
        doctest::Approx(0.9 * double{before} + 0.1 * 2.0));
}

TEST_CASE("bn re-estimation: a prepared model is refused, and no batch is not an average") {
  Net net(0.0f);
  CHECK_THROWS_AS(reestimate_bn_stats(net, loader(), 0), Error);
  for (const auto& [name, leaf] : named_leaves(net)) leaf->set_qconfig({});
  CHECK_THROWS_WITH_AS(reestimate_bn_stats(net, loader(), 1), doctest::Contains("[conv1]"), Error);
}

}  // namespace octet
