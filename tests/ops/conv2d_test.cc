#include "ops/conv2d.h"

#include "ops/activation.h"
#include "ops/add.h"
#include "ops/autocast.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

TEST_CASE("conv2d: values computed by hand") {
  const Tensor x = Tensor::from({1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 3, 3, 1});
  const Tensor weight = Tensor::from({1, 0, 0, -1, 0, 1, 1, 0}, {2, 2, 2, 1});
  const Tensor bias = Tensor::from({10, -10}, {2});
  CHECK_SAME_BITS(conv2d(x, weight, bias, {}),
                  Tensor::from({6, -4, 6, -2, 6, 2, 6, 4}, {1, 2, 2, 2}));
  CHECK_SAME_BITS(conv2d(x, weight, Tensor(), {.stride = 2, .padding = 1}),
                  Tensor::from({-1, 0, -3, 2, -7, 4, -4, 14}, {1, 2, 2, 2}));
}

TEST_CASE("conv2d: gradients match finite differences") {
  struct Case {
    Shape x, weight;
    Conv2dOptions options;
  };
  const std::vector<Case> cases = {
      {{2, 5, 4, 3}, {4, 3, 3, 3}, {.stride = 1, .padding = 1}},
      {{2, 5, 4, 3}, {4, 3, 3, 3}, {.stride = 2, .padding = 1}},
      {{1, 6, 6, 2}, {3, 5, 5, 2}, {}},
      {{2, 3, 3, 5}, {6, 1, 1, 5}, {}},
      {{2, 5, 5, 4}, {6, 3, 3, 2}, {.stride = 2, .padding = 2, .groups = 2}},
      {{2, 4, 4, 3}, {3, 3, 3, 1}, {.stride = 1, .padding = 1, .groups = 3}},
  };
  for (const Case& c : cases) {
    const Shape &x = c.x, &weight = c.weight;
    const Conv2dOptions& options = c.options;
    CAPTURE(x);
    CAPTURE(weight);
    const auto with_bias = [&](const std::vector<Tensor>& in) {
      return conv2d(in[0], in[1], in[2], options);
    };
    CHECK(gradcheck(with_bias, {randn(x, 1), randn(weight, 2), randn({weight[0]}, 3)},
                    {.eps = 0.5, .tol = 1e-4}));
    const auto without = [&](const std::vector<Tensor>& in) {
      return conv2d(in[0], in[1], Tensor(), options);
    };
    CHECK(gradcheck(without, {randn(x, 1), randn(weight, 2)}, {.eps = 0.5, .tol = 1e-4}));
  }
}

TEST_CASE("conv2d: same bits for every instruction set and number of threads") {
  const std::vector<Tensor> in = {randn({5, 9, 9, 3}, 1), randn({17, 3, 3, 3}, 2), randn({17}, 3)};
  const auto fn = [](const std::vector<Tensor>& t) {
    return conv2d(t[0], t[1], t[2], {.stride = 2, .padding = 1});
  };
  const Tensor y = fn(in);
  const std::vector<Tensor> grads = gradients(fn, in).of_inputs;
  for_each_isa([&](Isa) {
    for_each_threads([&](int) {
      CHECK_SAME_BITS(fn(in), y);
      const std::vector<Tensor> again = gradients(fn, in).of_inputs;
      for (std::size_t i = 0; i < grads.size(); ++i) CHECK_SAME_BITS(again[i], grads[i]);
    });
  });
}

TEST_CASE("conv2d: its data gradient and those of other ops add up, in its own pass or not") {
  struct Case {
    Shape x, weight;
    Conv2dOptions options;
  };
  const std::vector<Case> cases = {
      {{3, 5, 4, 33}, {70, 1, 1, 33}, {}},
      {{2, 1, 1, 400}, {19, 1, 1, 400}, {}},
      {{3, 5, 4, 8}, {6, 3, 3, 8}, {.padding = 1}},
      {{3, 5, 4, 8}, {6, 1, 1, 8}, {.stride = 2}},
  };
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    for (const Case& c : cases) {
      CAPTURE(c.x);
      CAPTURE(c.weight);
      const AutocastGuard autocast(precision);
      const Tensor first = randn(c.weight, 2), second = randn(c.weight, 3);
      // The gradient of x through one convolution, another, or both; x is itself an op's result.
      const auto gradient = [&](bool with_first, bool with_second) {
        const auto fn = [&](const std::vector<Tensor>& in) {
          const Tensor x = relu(in[0]);
          const Tensor a = conv2d(x, first, Tensor(), c.options);
          const Tensor b = conv2d(x, second, Tensor(), c.options);
          return with_first && with_second ? add(a, b) : with_first ? a : b;
        };
        return gradients(fn, {randn(c.x, 1)}).of_inputs[0];
      };
      const Tensor a = gradient(true, false), b = gradient(false, true);
      const Tensor both = gradient(true, true);
      Tensor sum = Tensor::empty(a.shape());
      for (std::int64_t i = 0; i < a.numel(); ++i) {
        sum.mutable_data()[i] = a.data()[i] + b.data()[i];
      }
      CHECK_SAME_BITS(both, sum);
    }
  }
}

TEST_CASE("conv2d: computes only the gradients that are asked for") {
  Tensor x = randn({1, 4, 4, 2}, 1), weight = randn({3, 3, 3, 2}, 2).set_requires_grad(true);
  backward(weighted_sum(conv2d(x, weight, Tensor(), {}), randn({1, 2, 2, 3}, 3)));
  CHECK(!x.grad().defined());
  CHECK(weight.grad().defined());
  NoGradGuard guard;
  CHECK(conv2d(x, weight, Tensor(), {}).grad_fn() == nullptr);
}

TEST_CASE("conv2d: shapes that do not fit") {
  const Tensor x = Tensor::zeros({1, 4, 4, 6}), weight = Tensor::zeros({8, 3, 3, 6}), none;
  CHECK_THROWS_WITH_AS(conv2d(x.reshape({4, 24}), weight, none, {}),
                       "[conv2d] expects x [N, H, W, I] and weight [O, KH, KW, I / groups], got "
                       "[4, 24] and [8, 3, 3, 6]",
                       Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({8, 3, 3, 5}), none, {}),
                       "[conv2d] weight [8, 3, 3, 5] does not fit 6 channels in 1 groups", Error);
  CHECK_THROWS_AS(conv2d(x, weight, none, {.groups = 2}), Error);
  CHECK_THROWS_AS(conv2d(x, Tensor::zeros({7, 3, 3, 3}), none, {.groups = 2}), Error);
  CHECK_THROWS_AS(conv2d(x, weight, none, {.stride = 0}), Error);
  CHECK_THROWS_AS(conv2d(x, weight, none, {.padding = -1}), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, Tensor::zeros({8, 5, 5, 6}), none, {}),
                       "[conv2d] kernel 5x5 is larger than the padded image 4x4", Error);
  CHECK_THROWS_WITH_AS(conv2d(x, weight, Tensor::zeros({7}), {}),
                       "[conv2d] bias expects shape [8], got [7]", Error);
  CHECK_THROWS_AS(conv2d(Tensor::zeros({0, 4, 4, 6}), weight, none, {}), Error);
  CHECK_THROWS_AS(conv2d(none, weight, none, {}), Error);
}

}  // namespace
}  // namespace octet
