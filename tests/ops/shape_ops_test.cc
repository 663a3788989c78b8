// add, concat and flatten: ops that move values or gradients about.
#include "ops/add.h"
#include "ops/concat.h"
#include "ops/flatten.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

Tensor some_codes() {
  return Tensor::zeros({1, 2, 2, 2}).set_qparams(QParams{.scale = 0.5f, .zero_point = 3});
}

TEST_CASE("add: values, gradient, threads") {
  CHECK_SAME_BITS(add(Tensor::from({1, 2}, {2}), Tensor::from({10, -5}, {2})),
                  Tensor::from({11, -3}, {2}));
  const auto fn = [](const auto& in) { return add(in[0], in[1]); };
  CHECK(gradcheck(fn, {randn({2, 3}, 1), randn({2, 3}, 2)}, {.eps = 0.5, .tol = 1e-4}));
  CHECK(gradcheck([](const auto& in) { return add(in[0], in[0]); }, {randn({2, 3}, 1)},
                  {.eps = 0.5, .tol = 1e-4}));
  const Tensor a = randn({50, 1001}, 3), b = randn({50, 1001}, 4), y = add(a, b);
  for_each_threads([&](int) { CHECK_SAME_BITS(add(a, b), y); });
}

TEST_CASE("add: bad shapes and codes") {
  CHECK_THROWS_WITH_AS(add(Tensor::zeros({2, 3}), Tensor::zeros({3, 2})),
                       "[add] expects two tensors of one shape, got [2, 3] and [3, 2]", Error);
  CHECK_THROWS_AS(add(some_codes(), Tensor::zeros({1, 2, 2, 2})), Error);
  CHECK_THROWS_AS(add(Tensor::zeros({1, 2, 2, 2}), some_codes()), Error);
}

TEST_CASE("concat: joins channels row by row") {
  const Tensor a = Tensor::from({1, 2, 3, 4}, {1, 1, 2, 2});
  const Tensor b = Tensor::from({10, 20}, {1, 1, 2, 1});
  CHECK_SAME_BITS(concat({a, b}), Tensor::from({1, 2, 10, 3, 4, 20}, {1, 1, 2, 3}));
  CHECK_SAME_BITS(concat({a}), a);
}

TEST_CASE("concat: gradient, an input used twice, threads") {
  const auto fn = [](const auto& in) { return concat({in[0], in[1], in[0]}); };
  const std::vector<Tensor> inputs = {randn({2, 3, 2, 3}, 1), randn({2, 3, 2, 1}, 2)};
  CHECK(gradcheck(fn, inputs, {.eps = 0.5, .tol = 1e-4}));
  const Tensor x = randn({7, 40, 40, 3}, 3), y = concat({x, x});
  const Tensor grad = gradients(fn, {x, x}).of_inputs[0];
  for_each_threads([&](int) {
    CHECK_SAME_BITS(concat({x, x}), y);
    CHECK_SAME_BITS(gradients(fn, {x, x}).of_inputs[0], grad);
  });
}

TEST_CASE("concat: only the inputs that need a gradient get one") {
  Tensor a = Tensor::zeros({1, 2}).set_requires_grad(true);
  const Tensor b = Tensor::zeros({1, 3});
  backward(weighted_sum(concat({b, a}), Tensor::from({1, 2, 3, 4, 5}, {1, 5})));
  CHECK_SAME_BITS(a.grad(), Tensor::from({4, 5}, {1, 2}));
  CHECK_FALSE(b.grad().defined());
}

TEST_CASE("concat: bad shapes and codes") {
  CHECK_THROWS_AS(concat({}), Error);
  CHECK_THROWS_WITH_AS(
      concat({Tensor::zeros({2, 3}), Tensor::zeros({3, 3})}),
      "[concat] expects tensors that differ in the last axis only, got [2, 3] and [3, 3]", Error);
  CHECK_THROWS_AS(concat({Tensor::zeros({2, 3}), Tensor::zeros({2, 1, 3})}), Error);
  CHECK_THROWS_AS(concat({Tensor::zeros({})}), Error);
  CHECK_THROWS_AS(concat({some_codes(), some_codes()}), Error);
}

TEST_CASE("flatten: shares the data, passes codes on, gradient has the input's shape") {
  Tensor x = randn({2, 3, 2, 2}, 1);
  const Tensor y = flatten(x);
  CHECK(y.shape() == Shape{2, 12});
  CHECK(y.data() == x.data());
  CHECK(flatten(some_codes()).qparams() == some_codes().qparams());
  CHECK(gradcheck([](const auto& in) { return flatten(in[0]); }, {x}, {.eps = 0.5, .tol = 1e-4}));
  CHECK(flatten(Tensor::zeros({0, 3, 2})).shape() == Shape{0, 6});
  CHECK_THROWS_WITH_AS(flatten(Tensor::zeros({3})),
                       "[flatten] expects [N, ...] of at least two axes, got [3]", Error);
  CHECK_THROWS_AS(flatten(Tensor()), Error);
}

}  // namespace
}  // namespace octet
