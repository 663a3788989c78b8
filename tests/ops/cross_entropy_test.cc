#include "ops/cross_entropy.h"

#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

Tensor labels_of(const std::vector<std::int32_t>& values) {
  Tensor t = Tensor::empty({static_cast<std::int64_t>(values.size())}, DType::kI32);
  std::copy(values.begin(), values.end(), t.mutable_data<std::int32_t>());
  return t;
}

// By the definition, in double with libm.
double reference(const Tensor& logits, const std::vector<std::int32_t>& labels, double smoothing) {
  const std::int64_t rows = logits.dim(0), classes = logits.dim(1);
  double loss = 0.0;
  for (std::int64_t n = 0; n < rows; ++n) {
    const float* z = logits.data() + n * classes;
    double sum = 0.0;
    for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(double{z[c]});
    for (std::int64_t c = 0; c < classes; ++c) {
      const double target = smoothing / static_cast<double>(classes) +
                            (c == labels[static_cast<std::size_t>(n)] ? 1.0 - smoothing : 0.0);
      loss -= target * (double{z[c]} - std::log(sum));
    }
  }
  return loss / static_cast<double>(rows);
}

TEST_CASE("cross_entropy: hand-computed values") {
  CHECK(cross_entropy(Tensor::zeros({2, 10}), labels_of({3, 9})).item() ==
        doctest::Approx(2.302585093));  // ln 10
  // softmax = (1/4, 3/4)
  const Tensor logits = Tensor::from({0.0f, 1.0986123f}, {1, 2});
  CHECK(cross_entropy(logits, labels_of({0})).item() == doctest::Approx(1.386294361));  // ln 4
  CHECK(cross_entropy(logits, labels_of({1})).item() == doctest::Approx(0.287682072));
  // label 1 with e = 0.2: 0.9 ln(4/3) + 0.1 ln 4
  CHECK(cross_entropy(logits, labels_of({1}), 0.2f).item() ==
        doctest::Approx(0.9 * 0.287682072 + 0.1 * 1.386294361));
}

TEST_CASE("cross_entropy equals its definition and its gradient matches finite differences") {
  const Tensor logits = randn({4, 5}, 1);
  const std::vector<std::int32_t> labels = {4, 0, 2, 2};
  for (const float smoothing : {0.0f, 0.1f}) {
    CAPTURE(smoothing);
    const auto fn = [&](const auto& in) {
      return cross_entropy(in[0], labels_of(labels), smoothing);
    };
    CHECK(fn(std::vector{logits}).item() ==
          doctest::Approx(reference(logits, labels, double{smoothing})).epsilon(1e-6));
    CHECK(gradcheck(fn, {logits}, {.eps = 0.02, .tol = 1e-3}));
  }
}

TEST_CASE("cross_entropy: large margins neither overflow nor vanish") {
  Tensor logits = Tensor::from({1000.0f, 0.0f, -1000.0f, 0.0f}, {2, 2});
  logits.set_requires_grad(true);
  const Tensor loss = cross_entropy(logits, labels_of({1, 1}));
  CHECK(loss.item() == 500.0f);
  backward(loss);
  CHECK_SAME_BITS(logits.grad(), Tensor::from({0.5f, -0.5f, 0.0f, 0.0f}, {2, 2}));
  CHECK(std::isnan(
      cross_entropy(Tensor::from({std::nanf(""), 0.0f}, {1, 2}), labels_of({0})).item()));
  CHECK(std::isnan(
      cross_entropy(Tensor::from({0.0f, std::nanf("")}, {1, 2}), labels_of({0})).item()));
}

TEST_CASE("cross_entropy: the same bits for every number of threads") {
  const Tensor logits = randn({101, 13}, 2);
  std::vector<std::int32_t> labels(101);
  for (std::size_t n = 0; n < labels.size(); ++n) labels[n] = static_cast<std::int32_t>(n % 13);
  const auto fn = [&](const auto& in) { return cross_entropy(in[0], labels_of(labels), 0.1f); };
  const Tensor loss = fn(std::vector{logits}), grad = gradients(fn, {logits}).of_inputs[0];
  for_each_threads([&](int) {
    CHECK_SAME_BITS(fn(std::vector{logits}), loss);
    CHECK_SAME_BITS(gradients(fn, {logits}).of_inputs[0], grad);
  });
}

TEST_CASE("cross_entropy: bad shapes and labels") {
  const Tensor logits = Tensor::zeros({2, 3});
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels_of({0, 3})),
                       "[cross_entropy] expects labels below 3, got 3 at 1", Error);
  CHECK_THROWS_AS(cross_entropy(logits, labels_of({-1, 0})), Error);
  CHECK_THROWS_WITH_AS(cross_entropy(logits, labels_of({0})),
                       "[cross_entropy] expects I32 labels of shape [2], got I32 [1]", Error);
  CHECK_THROWS_AS(cross_entropy(logits, Tensor::zeros({2})), Error);
  CHECK_THROWS_AS(cross_entropy(logits, Tensor()), Error);
  CHECK_THROWS_AS(cross_entropy(Tensor::zeros({3}), labels_of({0})), Error);
  CHECK_THROWS_AS(cross_entropy(Tensor::zeros({0, 3}), labels_of({})), Error);
  CHECK_THROWS_AS(cross_entropy(logits, labels_of({0, 1}), 1.0f), Error);
}

}  // namespace
}  // namespace octet
