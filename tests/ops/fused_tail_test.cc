#include <cmath>
#include <limits>

#include "ops/conv2d.h"
#include "ops/linear.h"
#include "ops/pool.h"
#include "tests/testing.h"

// An activation and a max-pool inside conv2d and linear give the bits of those after them: values
// and gradients.
namespace octet {
namespace {

using namespace testing;

void check_same(const TensorFunction& fused, const TensorFunction& separate,
                const std::vector<Tensor>& in) {
  const Tensor y = separate(in);
  const std::vector<Tensor> grads = gradients(separate, in).of_inputs;
  for_each_isa([&](Isa) {
    for_each_threads([&](int) {
      CHECK_SAME_BITS(fused(in), y);
      const Gradients got = gradients(fused, in);
      CHECK(got.history_released);
      for (std::size_t i = 0; i < grads.size(); ++i) CHECK_SAME_BITS(got.of_inputs[i], grads[i]);
    });
  });
}

struct TailCase {
  Shape x, weight;
  Conv2dOptions options;
};

// Direct and with columns, from the lines of the image with and without padding, strides, groups,
// blocks of output channels, several groups of the weight gradient, that begin inside an image and
// between the two rows of a window, a high kernel.
const std::vector<TailCase> kTailCases = {
    {{3, 28, 28, 1}, {6, 5, 5, 1}, {.padding = 2}},
    {{3, 14, 14, 6}, {16, 5, 5, 6}, {}},
    {{12, 14, 14, 6}, {16, 5, 5, 6}, {.padding = 1}},
    {{2, 9, 8, 5}, {17, 3, 3, 5}, {.stride = 2, .padding = 1}},
    {{2, 8, 8, 5}, {33, 1, 1, 5}, {}},
    {{2, 7, 7, 6}, {26, 3, 3, 3}, {.padding = 1, .groups = 2}},
    {{20, 20, 20, 4}, {4, 3, 3, 1}, {.padding = 1, .groups = 4}},
    {{9, 21, 23, 3}, {5, 3, 3, 3}, {.padding = 1}},
    {{7, 35, 33, 2}, {20, 3, 3, 2}, {.stride = 2, .padding = 1}},
    {{2, 19, 18, 1}, {3, 7, 7, 1}, {.padding = 3}},
    {{2, 17, 37, 1}, {8, 3, 3, 1}, {}},
    {{3, 12, 9, 1}, {1, 2, 2, 1}, {}},
    {{2, 12, 20, 1}, {9, 3, 3, 1}, {.padding = 1}},
};

TEST_CASE("conv2d with ReLU: the bits of relu(conv2d)") {
  for (const TailCase& c : kTailCases) {
    CAPTURE(c.x);
    CAPTURE(c.weight);
    const std::vector<Tensor> in = {randn(c.x, 1), randn(c.weight, 2), randn({c.weight[0]}, 3)};
    const auto fused = [&](const std::vector<Tensor>& t) {
      Conv2dOptions options = c.options;
      options.activation = Activation::kRelu;
      return conv2d(t[0], t[1], t[2], options);
    };
    check_same(
        fused, [&](const auto& t) { return relu(conv2d(t[0], t[1], t[2], c.options)); }, in);
  }
}

TEST_CASE("conv2d with max-pool: the bits of max_pool2d after it") {
  for (const TailCase& c : kTailCases) {
    CAPTURE(c.x);
    CAPTURE(c.weight);
    const std::vector<Tensor> in = {randn(c.x, 1), randn(c.weight, 2), randn({c.weight[0]}, 3)};
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      const auto fused = [&](const std::vector<Tensor>& t) {
        Conv2dOptions options = c.options;
        options.activation = activation;
        options.max_pool = true;
        return conv2d(t[0], t[1], t[2], options);
      };
      const auto separate = [&](const std::vector<Tensor>& t) {
        const Tensor y = conv2d(t[0], t[1], t[2], c.options);
        return max_pool2d(activation == Activation::kRelu ? relu(y) : y, {});
      };
      check_same(fused, separate, in);
    }
  }
}

TEST_CASE("conv2d with max-pool: the gradient of the bias alone") {
  const Tensor x = randn({5, 9, 9, 3}, 1), weight = randn({7, 3, 3, 3}, 2);
  const auto fused = [&](const std::vector<Tensor>& t) {
    return conv2d(x, weight, t[0], {.activation = Activation::kRelu, .max_pool = true});
  };
  const auto separate = [&](const std::vector<Tensor>& t) {
    return max_pool2d(relu(conv2d(x, weight, t[0], {})), {});
  };
  check_same(fused, separate, {randn({7}, 3)});
}

TEST_CASE("conv2d with max-pool: a result without a whole window is an error") {
  CHECK_THROWS_WITH_AS(
      conv2d(randn({1, 3, 3, 1}, 1), randn({2, 3, 3, 1}, 2), Tensor(), {.max_pool = true}),
      doctest::Contains("too small for max-pool"), Error);
}

TEST_CASE("linear with ReLU: the bits of relu(linear)") {
  for (const std::int64_t batch : {1, 19, 300}) {
    CAPTURE(batch);
    const std::vector<Tensor> in = {randn({batch, 33}, 1), randn({70, 33}, 2), randn({70}, 3)};
    check_same([](const auto& t) { return linear(t[0], t[1], t[2], Activation::kRelu); },
               [](const auto& t) { return relu(linear(t[0], t[1], t[2])); }, in);
  }
}

// The sum starts at the bias, -0, so that a product of -0 leaves it there.
TEST_CASE("ReLU inside: zeros of both signs, NaN and infinity as in relu") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const Tensor x = Tensor::from({nan, inf, -inf, 0.0f, -0.0f, 1.0f, -1.0f, tiny, -tiny}, {9, 1});
  for (const std::int64_t out : {1, 5, 19, 70}) {  // whole and part vectors
    const Tensor weight = Tensor::full({out, 1}, 0.25f), bias = Tensor::full({out}, -0.0f);
    for_each_isa([&](Isa) {
      const Tensor separate = relu(linear(x, weight, bias));
      CHECK(std::signbit(separate.data()[4 * out]));
      CHECK(std::isnan(separate.data()[0]));
      CHECK_SAME_BITS(linear(x, weight, bias, Activation::kRelu), separate);
    });
  }
}

TEST_CASE("ReLU inside: -0 and NaN in the gradient where nothing passes") {
  // y = (-1, NaN, 0, 2): a NaN of the gradient passes only where y > 0.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor weights = Tensor::from({nan, nan, nan, nan, -0.0f, 3.0f, 4.0f, -5.0f}, {8, 1});
  const Tensor values = Tensor::from({-1, nan, 0, 2, -1, nan, 0, 2}, {8, 1});
  const auto run = [&](bool fused) {
    Tensor x = values.clone().set_requires_grad(true);
    const Tensor one = Tensor::full({1, 1}, 1.0f);
    const Tensor y =
        fused ? linear(x, one, Tensor(), Activation::kRelu) : relu(linear(x, one, Tensor()));
    backward(weighted_sum(y, weights));
    return x.grad();
  };
  for_each_isa([&](Isa) { CHECK_SAME_BITS(run(true), run(false)); });
  CHECK(run(true).data()[0] == 0.0f);
  CHECK(run(true).data()[7] == -5.0f);
}

}  // namespace
}  // namespace octet
