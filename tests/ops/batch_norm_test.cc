#include "ops/batch_norm.h"

#include "ops/add.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

constexpr BatchNormOptions kRunning = {.statistics = BatchNormStatistics::kRunning};

TEST_CASE("batch_norm: values and running statistics computed by hand") {
  // Channel 0: mean 3, biased variance 4; channel 1: mean -1, variance 1.
  const Tensor x = Tensor::from({1, 0, 5, -2, 1, -2, 5, 0}, {2, 1, 2, 2});
  Tensor mean = Tensor::from({10, 20}, {2}), var = Tensor::from({1, 2}, {2});
  const Tensor y = batch_norm(x, Tensor::from({3, 1}, {2}), Tensor::from({100, 0}, {2}), mean, var,
                              {.momentum = 0.25f, .eps = 0.0f});
  CHECK_SAME_BITS(y, Tensor::from({97, 1, 103, -1, 97, -1, 103, 1}, {2, 1, 2, 2}));
  CHECK_ALLCLOSE(mean, Tensor::from({8.25f, 14.75f}, {2}));
  // Unbiased: 4 * 4 / 3 and 4 / 3.
  CHECK_ALLCLOSE(var, Tensor::from({0.75f + 4.0f / 3.0f, 1.5f + 1.0f / 3.0f}, {2}));
}

TEST_CASE("batch_norm: running statistics normalize and stay as they are") {
  Tensor mean = Tensor::from({1, 2}, {2}), var = Tensor::from({4, 0.25f}, {2});
  const Tensor before_mean = mean.clone(), before_var = var.clone();
  const Tensor y = batch_norm(Tensor::from({5, 3}, {1, 2}), Tensor::from({10, 1}, {2}),
                              Tensor::from({1, 0}, {2}), mean, var,
                              {.statistics = BatchNormStatistics::kRunning, .eps = 0.0f});
  CHECK_SAME_BITS(y, Tensor::from({21, 2}, {1, 2}));
  CHECK_SAME_BITS(mean, before_mean);
  CHECK_SAME_BITS(var, before_var);
}

TEST_CASE("batch_norm: accurate where the mean is large against the deviation") {
  const std::int64_t rows = 1000;
  Tensor x = randn({rows, 3}, 1);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.mutable_data()[i] += 4096.0f;
  std::vector<double> mean(3), var(3);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    mean[static_cast<std::size_t>(i % 3)] += double{x.data()[i]} / rows;
  }
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double deviation = double{x.data()[i]} - mean[static_cast<std::size_t>(i % 3)];
    var[static_cast<std::size_t>(i % 3)] += deviation * deviation / rows;
  }
  const Tensor y = batch_norm(x, Tensor::full({3}, 1.0f), Tensor::zeros({3}), Tensor::zeros({3}),
                              Tensor::full({3}, 1.0f), {});
  Tensor expected = Tensor::empty(x.shape());
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const auto c = static_cast<std::size_t>(i % 3);
    expected.mutable_data()[i] =
        static_cast<float>((double{x.data()[i]} - mean[c]) / std::sqrt(var[c] + 1e-5));
  }
  // The mean is rounded to 2^-12 (its neighbours are 2^-11 apart); the rest is float rounding.
  CHECK_ALLCLOSE(y, expected, {.rtol = 1e-4, .atol = 1.1 / 4096});
}

TEST_CASE("batch_norm: shortcut and ReLU, computed by hand") {
  const Tensor x = Tensor::from({3, -5, 1, 9}, {2, 2}),
               shortcut = Tensor::from({1, 2, 4, 8}, {2, 2});
  const Tensor gamma = Tensor::from({2, -1}, {2}), beta = Tensor::from({0, 1}, {2});
  const Tensor mean = Tensor::from({2, 0}, {2}), var = Tensor::from({1, 1}, {2});
  BatchNormOptions options{.statistics = BatchNormStatistics::kRunning, .eps = 0.0f};
  CHECK_SAME_BITS(batch_norm(x, gamma, beta, mean, var, options, shortcut),
                  Tensor::from({3, 8, 2, 0}, {2, 2}));
  CHECK_SAME_BITS(batch_norm(x, gamma, beta, mean, var, options),
                  Tensor::from({2, 6, -2, -8}, {2, 2}));
  options.activation = Activation::kRelu;
  CHECK_SAME_BITS(batch_norm(x, gamma, beta, mean, var, options),
                  Tensor::from({2, 6, 0, 0}, {2, 2}));
  const Tensor far = Tensor::from({-9, 2, 4, 8.5f}, {2, 2});
  CHECK_SAME_BITS(batch_norm(x, gamma, beta, mean, var, options, far),
                  Tensor::from({0, 8, 2, 0.5f}, {2, 2}));
}

TEST_CASE("batch_norm: gradients sum over all chunks of rows") {
  // With constant statistics and dy = 1: dgamma = sum of x^, dbeta = rows; 300 rows are 3 chunks.
  Tensor gamma = Tensor::full({2}, 1.0f).set_requires_grad(true);
  Tensor beta = Tensor::zeros({2}).set_requires_grad(true);
  const Tensor y = batch_norm(Tensor::full({300, 2}, 3.0f), gamma, beta, Tensor::full({2}, 1.0f),
                              Tensor::full({2}, 4.0f),
                              {.statistics = BatchNormStatistics::kRunning, .eps = 0.0f});
  backward(weighted_sum(y, Tensor::full({300, 2}, 1.0f)));
  CHECK_SAME_BITS(gamma.grad(), Tensor::full({2}, 300.0f));
  CHECK_SAME_BITS(beta.grad(), Tensor::full({2}, 300.0f));
}

// Every combination of statistics, ReLU and shortcut.
struct Variant {
  BatchNormStatistics statistics;
  bool relu, shortcut;
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const auto statistics : {BatchNormStatistics::kBatch, BatchNormStatistics::kRunning}) {
    for (const bool relu : {false, true}) {
      for (const bool shortcut : {false, true}) all.push_back({statistics, relu, shortcut});
    }
  }
  return all;
}

// in: x, gamma, beta and, with a shortcut, the shortcut.
TensorFunction fused(Variant v) {
  return [v](const std::vector<Tensor>& in) {
    const Shape channels = in[1].shape();
    const BatchNormOptions options{.statistics = v.statistics,
                                   .activation = v.relu ? Activation::kRelu : Activation::kNone};
    return batch_norm(in[0], in[1], in[2], Tensor::full(channels, 0.25f),
                      Tensor::full(channels, 1.5f), options, v.shortcut ? in[3] : Tensor());
  };
}

TensorFunction separate(Variant v) {
  return [v](const std::vector<Tensor>& in) {
    Tensor y = fused({v.statistics, false, false})(in);
    if (v.shortcut) y = add(y, in[3]);
    return v.relu ? relu(y) : y;
  };
}

std::vector<Tensor> inputs_of(Variant v, const Shape& shape, std::uint64_t seed) {
  const Shape channels{shape[shape.rank() - 1]};
  std::vector<Tensor> in = {randn(shape, seed), randn(channels, seed + 1),
                            randn(channels, seed + 2)};
  if (v.shortcut) in.push_back(randn(shape, seed + 3));
  return in;
}

TEST_CASE("batch_norm: every variant's gradients match finite differences") {
  for (const Variant v : variants()) {
    CAPTURE(v.relu);
    CAPTURE(v.shortcut);
    // Inputs that keep away from the kink of the ReLU.
    const auto closest = [&](const std::vector<Tensor>& in) {
      const Tensor y = separate({v.statistics, false, v.shortcut})(in);
      float distance = 1.0f;
      for (std::int64_t i = 0; i < y.numel(); ++i) {
        distance = std::min(distance, std::fabs(y.data()[i]));
      }
      return distance;
    };
    std::uint64_t seed = 10;
    while (v.relu && closest(inputs_of(v, {2, 3, 2, 3}, seed)) < 0.05f) seed += 10;
    CHECK(gradcheck(fused(v), inputs_of(v, {2, 3, 2, 3}, seed), {.eps = 1e-2, .tol = 3e-3}));
  }
}

TEST_CASE("batch_norm: the bits of batch norm, add and ReLU one after the other") {
  for (const Variant v : variants()) {
    for (const Shape& shape : {Shape{700, 19}, Shape{3, 150, 70}, Shape{2, 6}}) {
      CAPTURE(static_cast<int>(v.statistics));
      CAPTURE(v.relu);
      CAPTURE(v.shortcut);
      CAPTURE(shape);
      const std::vector<Tensor> in = inputs_of(v, shape, 1);
      CHECK_SAME_BITS(fused(v)(in), separate(v)(in));
      const std::vector<Tensor> got = gradients(fused(v), in).of_inputs;
      const std::vector<Tensor> expected = gradients(separate(v), in).of_inputs;
      for (std::size_t i = 0; i < got.size(); ++i) CHECK_SAME_BITS(got[i], expected[i]);
    }
  }
}

TEST_CASE("batch_norm: same bits for every instruction set and number of threads") {
  for (const Variant v : variants()) {
    for (const Shape& shape : {Shape{700, 19}, Shape{5000, 6}, Shape{300, 300}}) {
      const std::vector<Tensor> in = inputs_of(v, shape, 1);
      const Tensor y = fused(v)(in);
      const std::vector<Tensor> grads = gradients(fused(v), in).of_inputs;
      for_each_isa([&](Isa) {
        for_each_threads([&](int) {
          CHECK_SAME_BITS(fused(v)(in), y);
          const std::vector<Tensor> again = gradients(fused(v), in).of_inputs;
          for (std::size_t i = 0; i < grads.size(); ++i) CHECK_SAME_BITS(again[i], grads[i]);
        });
      });
    }
  }
}

TEST_CASE("batch_norm: gradients of some inputs only") {
  const std::vector<Tensor> in = inputs_of({BatchNormStatistics::kBatch, true, true}, {40, 5}, 1);
  for (const Variant v : variants()) {
    if (!v.shortcut) continue;
    const std::vector<Tensor> all = gradients(fused(v), in).of_inputs;
    for (std::size_t k = 0; k < in.size(); ++k) {
      std::vector<Tensor> one = in;
      one[k] = in[k].clone().set_requires_grad(true);
      const Tensor y = fused(v)(one);
      backward(weighted_sum(y, randn(y.shape(), 4711)));
      CHECK_SAME_BITS(one[k].grad(), all[k]);
    }
  }
}

TEST_CASE("batch_norm: shapes that do not fit") {
  const Tensor x = Tensor::zeros({2, 4}), good = Tensor::zeros({4}), bad = Tensor::zeros({3});
  CHECK_THROWS_WITH_AS(batch_norm(x, bad, good, good, good, {}),
                       "[batch_norm] gamma expects shape [4], got [3]", Error);
  CHECK_THROWS_AS(batch_norm(x, good, good, good, bad, {}), Error);
  CHECK_THROWS_WITH_AS(batch_norm(Tensor::zeros({1, 4}), good, good, good, good, {}),
                       "[batch_norm] batch statistics need at least 2 rows, got [1, 4]", Error);
  CHECK_THROWS_WITH_AS(batch_norm(x, good, good, good, good, {}, Tensor::zeros({4, 2})),
                       "[batch_norm] shortcut expects the shape of x, [2, 4], got [4, 2]", Error);
  CHECK_NOTHROW((void)batch_norm(Tensor::zeros({1, 4}), good, good, good, good, kRunning));
  CHECK_THROWS_AS(batch_norm(Tensor::zeros({0, 4}), good, good, good, good, kRunning), Error);
}

}  // namespace
}  // namespace octet
