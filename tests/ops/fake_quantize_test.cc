#include "ops/fake_quantize.h"

#include <limits>

#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST_CASE("fake_quantize_per_tensor_affine: rounds half up, clamps, gradient 1 where not clamped") {
  // scale 1/2, zero point 2, codes 0..7: real -1 ... 2.5
  const QParams q{.scale = 0.5f, .zero_point = 2};
  const QRange range{0, 7};
  Tensor x = Tensor::from(
      {-1.3f, -1.25f, -1.0f, -0.25f, 0.0f, 0.24f, 0.25f, 2.5f, 2.74f, 2.75f, -kInfinity, kInfinity},
      {3, 4});
  x.set_requires_grad(true);
  const Tensor y = fake_quantize_per_tensor_affine(x, q, range);
  CHECK_SAME_BITS(
      y, Tensor::from({-1.0f, -1.0f, -1.0f, 0.0f, 0.0f, 0.0f, 0.5f, 2.5f, 2.5f, 2.5f, -1.0f, 2.5f},
                      {3, 4}));
  backward(weighted_sum(y, Tensor::full({3, 4}, 3.0f)));
  // -1.3 is code -1 (clamped), -1.25 rounds up to code 0, 2.75 to code 8 (clamped)
  CHECK_SAME_BITS(x.grad(), Tensor::from({0, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0}, {3, 4}));
}

TEST_CASE("fake_quantize_per_tensor_affine is dequantize(quantize), and idempotent") {
  const QParams q = choose_qparams(-0.7f, 1.9f, kActivationRange);
  const Tensor x = randn({7, 100}, 1), y = fake_quantize_per_tensor_affine(x, q, kActivationRange);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const std::int32_t code =
        quantize_one(x.data()[i], 1.0f / q.scale, q.zero_point, kActivationRange);
    REQUIRE(y.data()[i] == dequantize_one(code, q));
  }
  CHECK_SAME_BITS(fake_quantize_per_tensor_affine(y, q, kActivationRange), y);
}

TEST_CASE("fake_quantize_per_channel_symmetric: one scale per row") {
  Tensor w = Tensor::from({0.3f, -0.74f, 64.0f, 3.0f, -7.4f, -640.0f}, {2, 3});
  w.set_requires_grad(true);
  const Tensor scale = Tensor::from({0.5f, 5.0f}, {2});
  const Tensor y = fake_quantize_per_channel_symmetric(w, scale, kWeightRange);
  CHECK_SAME_BITS(y, Tensor::from({0.5f, -0.5f, 63.5f, 5.0f, -5.0f, -635.0f}, {2, 3}));
  backward(weighted_sum(y, Tensor::full({2, 3}, 2.0f)));
  CHECK_SAME_BITS(w.grad(), Tensor::from({2, 2, 0, 2, 2, 0}, {2, 3}));
}

TEST_CASE("fake_quantize: no history kept, and threads do not matter") {
  const Tensor x = randn({9, 5000}, 2), scale = Tensor::full({9}, 0.01f);
  const std::vector<TensorFunction> ops = {
      [](const auto& in) {
        return fake_quantize_per_tensor_affine(in[0], {.scale = 0.01f, .zero_point = 100},
                                               kActivationRange);
      },
      [&](const auto& in) {
        return fake_quantize_per_channel_symmetric(in[0], scale, kWeightRange);
      }};
  for (const TensorFunction& op : ops) {
    const Tensor y = op({x});
    const Gradients first = gradients(op, {x});
    CHECK(first.history_released);
    for_each_threads([&](int) {
      CHECK_SAME_BITS(op({x}), y);
      CHECK_SAME_BITS(gradients(op, {x}).of_inputs[0], first.of_inputs[0]);
    });
  }
}

TEST_CASE("fake_quantize: bad shapes and parameters") {
  const Tensor w = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH_AS(
      fake_quantize_per_channel_symmetric(w, Tensor::full({3}, 1.0f), kWeightRange),
      "[fake_quantize_per_channel_symmetric] expects weight [O, ...] and scale [O], got [2, 3] and "
      "[3]",
      Error);
  for (const float scale : {0.0f, -1.0f, std::nanf(""), kInfinity, 1e-45f, 3e38f}) {
    CAPTURE(scale);
    CHECK_THROWS_AS(fake_quantize_per_tensor_affine(w, {scale, 0}, kActivationRange), Error);
    CHECK_THROWS_AS(fake_quantize_per_channel_symmetric(w, Tensor::full({2}, scale), kWeightRange),
                    Error);
  }
  CHECK_THROWS_AS(fake_quantize_per_tensor_affine(w, {1.0f, 300}, kActivationRange), Error);
  CHECK_THROWS_AS(fake_quantize_per_tensor_affine(w, {1.0f, 0}, {5, 5}), Error);
  CHECK_THROWS_AS(
      fake_quantize_per_tensor_affine(w.clone().set_qparams(QParams{}), {}, kActivationRange),
      Error);
}

}  // namespace
}  // namespace octet
