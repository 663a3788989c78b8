#include "quant/fake_quantize.h"

#include <string>

#include "autograd/node.h"
#include "tests/testing.h"

namespace octet {
namespace {

constexpr TensorQConfig kMinMaxAffine{.observer = ObserverKind::kMinMax};
constexpr TensorQConfig kPerChannel{.qscheme = QScheme::kPerChannelSymmetric,
                                    .observer = ObserverKind::kMinMax};

}  // namespace

TEST_CASE("fake quantize: after ReLU the range starts at 0, so the zero point is 0") {
  FakeQuantize f(TensorRole::kActivation, kMinMaxAffine);
  const Tensor y = f(Tensor::from({0.5f, 51.0f, 25.4f}, {3}));
  CHECK(f.qparams() == QParams{0.2f, 0});
  CHECK(y.data()[0] == doctest::Approx(0.6));  // 2.5 steps, half up
  CHECK(y.data()[1] == doctest::Approx(51.0));
  CHECK(y.data()[2] == doctest::Approx(25.4));
}

TEST_CASE("fake quantize: schemes give the scales and zero points of PyTorch") {
  const Tensor x = Tensor::from({-1.0f, 0.0f, 254.0f, 3.0f}, {2, 2});
  FakeQuantize affine(TensorRole::kActivation, kMinMaxAffine);
  affine(x);
  CHECK(affine.qparams() == QParams{1.0f, 1});

  FakeQuantize symmetric(TensorRole::kActivation, {.qscheme = QScheme::kPerTensorSymmetric,
                                                   .observer = ObserverKind::kMinMax});
  symmetric(x);
  CHECK(symmetric.qparams() == QParams{2.0f, 128});  // 254 / 127

  FakeQuantize weight(TensorRole::kWeight, kPerChannel, 2);
  weight(x);
  CHECK(weight.channel_scales(2) == std::vector<float>{1.0f / 127.0f, 2.0f});
  CHECK_THROWS_AS(weight.qparams(), Error);

  FakeQuantize per_tensor(TensorRole::kWeight, {.qscheme = QScheme::kPerTensorSymmetric,
                                                .observer = ObserverKind::kMinMax});
  per_tensor(x);
  CHECK(per_tensor.channel_scales(2) == std::vector<float>{2.0f, 2.0f});
}

TEST_CASE("fake quantize: a scheme that the role does not allow is an error") {
  CHECK_THROWS_AS(FakeQuantize(TensorRole::kWeight, kMinMaxAffine, 2), Error);
  CHECK_THROWS_AS(FakeQuantize(TensorRole::kActivation, kPerChannel, 2), Error);
  CHECK_THROWS_AS(FakeQuantize(TensorRole::kWeight, kPerChannel), Error);  // no channels
}

TEST_CASE("fake quantize: the switches") {
  FakeQuantize f(TensorRole::kActivation, kMinMaxAffine);
  const Tensor x = Tensor::from({0.0f, 0.3f, 255.0f}, {3});
  f.enable_fake_quant(false);  // calibration: watches, changes nothing
  CHECK(f(x).id() == x.id());
  CHECK(f.qparams() == QParams{1.0f, 0});

  f.enable_fake_quant(true);
  f.enable_observer(false);  // frozen scales: rounds, does not watch
  CHECK(f(Tensor::from({1000.4f, 0.6f}, {2})).data()[0] == 255.0f);
  CHECK(f.qparams() == QParams{1.0f, 0});
}

TEST_CASE("fake quantize: what was never calibrated has no scale") {
  FakeQuantize f(TensorRole::kActivation, kMinMaxAffine);
  CHECK_FALSE(f.calibrated());
  CHECK_THROWS_AS(f.qparams(), Error);
  f.enable_observer(false);
  CHECK_THROWS_AS(f(Tensor::full({2}, 1.0f)), Error);
}

TEST_CASE("fake quantize: the buffers are the whole state") {
  FakeQuantize a(TensorRole::kWeight, kPerChannel, 2), b(TensorRole::kWeight, kPerChannel, 2);
  a(testing::randn({2, 9}, 1));
  a.enable_observer(false);
  std::vector<std::string> names;
  const auto from = a.buffers(), to = b.buffers();
  for (std::size_t i = 0; i < from.size(); ++i) {
    names.push_back(from[i].first);
    Tensor target = to[i].second;
    target.copy_from(from[i].second);
  }
  CHECK(names == std::vector<std::string>{"scale", "zero_point", "min_val", "max_val",
                                          "observer_enabled", "fake_quant_enabled"});
  CHECK(b.calibrated());
  CHECK_FALSE(b.observer_enabled());
  CHECK(a.channel_scales(2) == b.channel_scales(2));
}

TEST_CASE("fake quantize: the gradient passes straight through inside the range") {
  FakeQuantize f(TensorRole::kActivation, kMinMaxAffine);
  f(Tensor::from({0.0f, 255.0f}, {2}));
  f.enable_observer(false);
  Tensor x = Tensor::from({-5.0f, 10.2f, 300.0f}, {1, 3});
  x.set_requires_grad(true);
  backward(testing::weighted_sum(f(x), Tensor::from({3.0f, 5.0f, 7.0f}, {1, 3})));
  CHECK(x.grad().data()[0] == 0.0f);
  CHECK(x.grad().data()[1] == 5.0f);
  CHECK(x.grad().data()[2] == 0.0f);
}

TEST_CASE("straight_through: the value of one computation, the gradient of another") {
  Tensor path = Tensor::from({1.0f, 2.0f}, {1, 2});
  path.set_requires_grad(true);
  const Tensor y = straight_through(Tensor::from({5.0f, 5.0f}, {1, 2}), path);
  CHECK(y.data()[1] == 5.0f);
  backward(testing::weighted_sum(y, Tensor::from({3.0f, -4.0f}, {1, 2})));
  CHECK(path.grad().data()[0] == 3.0f);
  CHECK(path.grad().data()[1] == -4.0f);
  CHECK_THROWS_AS(straight_through(Tensor::zeros({1, 3}), path), Error);
}

}  // namespace octet
