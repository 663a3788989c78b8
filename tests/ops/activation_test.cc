#include "ops/activation.h"

#include <limits>

#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

TEST_CASE("relu: values, and NaN stays NaN") {
  const Tensor y = relu(Tensor::from({-1.5f, 0.0f, 2.0f, -0.25f}, {2, 2}));
  CHECK_SAME_BITS(y, Tensor::from({0.0f, 0.0f, 2.0f, 0.0f}, {2, 2}));
  CHECK(std::isnan(relu(Tensor::full({1}, std::numeric_limits<float>::quiet_NaN())).item()));
}

TEST_CASE("relu: gradient passes where x > 0 and is 0 at 0") {
  Tensor x = Tensor::from({-1.0f, 0.0f, 3.0f}, {3}).set_requires_grad(true);
  backward(weighted_sum(relu(x), Tensor::from({5.0f, 6.0f, 7.0f}, {3})));
  CHECK_SAME_BITS(x.grad(), Tensor::from({0.0f, 0.0f, 7.0f}, {3}));
}

TEST_CASE("clamp: values, gradient strictly inside, NaN stays NaN") {
  Tensor x = Tensor::from({-1.0f, 0.0f, 3.0f, 6.0f, 7.0f}, {5}).set_requires_grad(true);
  const Tensor y = clamp(x, 0.0f, 6.0f);
  CHECK_SAME_BITS(y, Tensor::from({0.0f, 0.0f, 3.0f, 6.0f, 6.0f}, {5}));
  backward(weighted_sum(y, Tensor::from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f}, {5})));
  CHECK_SAME_BITS(x.grad(), Tensor::from({0.0f, 0.0f, 3.0f, 0.0f, 0.0f}, {5}));
  CHECK(std::isnan(clamp(Tensor::full({1}, std::nanf("")), 0.0f, 1.0f).item()));
  CHECK_THROWS_WITH_AS(clamp(x, 2.0f, 1.0f), "[clamp] expects low <= high, got 2 and 1", Error);
}

TEST_CASE("relu and clamp: gradients match finite differences away from the kinks") {
  const Tensor x = Tensor::from({-2.0f, -0.5f, 0.4f, 0.7f, 1.5f, 3.0f}, {2, 3});
  CHECK(gradcheck([](const auto& in) { return relu(in[0]); }, {x}, {.eps = 0.1, .tol = 1e-4}));
  CHECK(gradcheck([](const auto& in) { return clamp(in[0], -1.0f, 1.0f); }, {x},
                  {.eps = 0.1, .tol = 1e-4}));
}

TEST_CASE("relu and clamp: the same bits for every number of threads") {
  const Tensor x = randn({3, 100, 101}, 1);
  const Tensor r = relu(x), c = clamp(x, -0.5f, 0.5f);
  for_each_threads([&](int) {
    CHECK_SAME_BITS(relu(x), r);
    CHECK_SAME_BITS(clamp(x, -0.5f, 0.5f), c);
  });
}

TEST_CASE("relu and clamp refuse codes and other types") {
  Tensor codes = Tensor::zeros({2});
  codes.set_qparams(QParams{.scale = 0.5f, .zero_point = 3});
  CHECK_THROWS_WITH_AS(
      relu(codes), "[relu] got a tensor that carries codes, not values (scale 0.5, zero_point 3)",
      Error);
  CHECK_THROWS_AS(clamp(codes, 0.0f, 1.0f), Error);
  CHECK_THROWS_WITH_AS(relu(Tensor::zeros({2}, DType::kU8)), "[relu] expects F32, got U8", Error);
  CHECK_THROWS_AS(relu(Tensor()), Error);
}

// The checks of testing.h must be able to fail.
TEST_CASE("gradcheck finds a wrong gradient, allclose a wrong value") {
  struct WrongBackward final : Node {
    const char* name() const override { return "WrongBackward"; }
    std::vector<Tensor> backward(const Tensor& grad_output) override { return {grad_output}; }
  };
  const auto twice = [](const std::vector<Tensor>& in) {
    Tensor y = in[0].clone();
    for (std::int64_t i = 0; i < y.numel(); ++i) y.mutable_data()[i] *= 2.0f;
    if (should_record(in)) attach(y, {in[0]}, std::make_shared<WrongBackward>());
    return y;
  };
  const Verdict wrong = gradcheck(twice, {randn({3}, 1)});
  CHECK_FALSE(wrong);
  CHECK(wrong.reason.find("element 0") != std::string::npos);
  const Tensor a = Tensor::from({1.0f, 2.0f, 3.0f}, {3});
  CHECK_FALSE(allclose(a, Tensor::from({1.0f, 2.1f, 4.0f}, {3})));
  CHECK_FALSE(allclose(a, Tensor::from({1.0f, std::nanf(""), 3.0f}, {3})));
  CHECK_FALSE(same_bits(a, Tensor::from({1.0f, 2.0f, 3.0000002f}, {3})));
  CHECK_FALSE(same_bits(a, a.reshape({1, 3})));
  CHECK_ALLCLOSE(a, Tensor::from({1.0f, 2.0f, 3.001f}, {3}), {.rtol = 1e-3, .atol = 0.0});
}

}  // namespace
}  // namespace octet
