#include "ops/autocast.h"

#include <cmath>
#include <optional>

#include "ops/conv2d.h"
#include "ops/linear.h"
#include "ops/pool.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

// The result of fn, and the gradients of its inputs, with products in `precision`.
std::vector<Tensor> compute(const TensorFunction& fn, const std::vector<Tensor>& in,
                            Precision precision) {
  const AutocastGuard autocast(precision);
  std::vector<Tensor> all = {fn(in)};
  for (const Tensor& gradient : gradients(fn, in).of_inputs) all.push_back(gradient);
  return all;
}

Tensor map(const Tensor& t, float (*fn)(float)) {
  Tensor result = Tensor::empty(t.shape());
  for (std::int64_t i = 0; i < t.numel(); ++i) result.mutable_data()[i] = fn(t.data()[i]);
  return result;
}

Tensor magnitudes(const Tensor& t) {
  return map(t, [](float x) { return std::fabs(x); });
}

// Small integers, which 8 bits hold: products and sums of them are exact.
Tensor integers(const Shape& shape, std::uint64_t seed) {
  return map(randn(shape, seed), [](float x) { return std::round(2.0f * x); });
}

struct AutocastCase {
  const char* name;
  TensorFunction fn;
  std::vector<Shape> inputs;
};

const std::vector<AutocastCase> kAutocastCases = {
    {"3x3",
     [](const auto& t) { return conv2d(t[0], t[1], t[2], {.padding = 1}); },
     {{3, 6, 5, 7}, {9, 3, 3, 7}, {9}}},
    {"1x1",
     [](const auto& t) { return conv2d(t[0], t[1], t[2], {}); },
     {{4, 5, 5, 8}, {6, 1, 1, 8}, {6}}},
    {"3x3/2",
     [](const auto& t) { return conv2d(t[0], t[1], t[2], {.stride = 2, .padding = 1}); },
     {{1, 9, 9, 3}, {17, 3, 3, 3}, {17}}},
    {"linear", [](const auto& t) { return linear(t[0], t[1], t[2]); }, {{5, 33}, {10, 33}, {10}}},
};

std::vector<Tensor> inputs_of(const AutocastCase& c, Tensor (*make)(const Shape&, std::uint64_t)) {
  std::vector<Tensor> in;
  for (const Shape& shape : c.inputs) in.push_back(make(shape, in.size() + 1));
  return in;
}

TEST_CASE("autocast: results and gradients are float32's within the error of bf16 operands") {
  // Each operand is within u = 2^-8 of itself, so each product within (1 + u)^2 - 1, and a sum of
  // them within so much of the sum of their magnitudes, which the same function of the magnitudes
  // gives (its gradients are weighted by randn, so here by the weights' magnitudes). 1.05 covers
  // the sums' own rounding.
  const double u = std::ldexp(1.0, -8), bound = 1.05 * ((1 + u) * (1 + u) - 1);
  for (const AutocastCase& c : kAutocastCases) {
    CAPTURE(c.name);
    const std::vector<Tensor> in =
        inputs_of(c, [](const Shape& s, std::uint64_t seed) { return randn(s, seed); });
    const std::vector<Tensor> fp32 = compute(c.fn, in, Precision::kFp32);
    const std::vector<Tensor> bf16 = compute(c.fn, in, Precision::kBf16);
    // Sums of magnitudes: of the result, and of sum(fn(inputs) * |randn|) by hand.
    std::vector<Tensor> leaves;
    for (const Tensor& t : in) leaves.push_back(magnitudes(t).set_requires_grad(true));
    const Tensor sum = c.fn(leaves);
    backward(weighted_sum(sum, magnitudes(randn(sum.shape(), 4711))));
    std::vector<Tensor> of_magnitudes = {sum};
    for (const Tensor& leaf : leaves) of_magnitudes.push_back(leaf.grad());
    for (std::size_t k = 0; k < fp32.size(); ++k) {
      CAPTURE(k);
      int wrong = 0, different = 0;
      for (std::int64_t i = 0; i < fp32[k].numel(); ++i) {
        const double error = std::fabs(double{bf16[k].data()[i]} - double{fp32[k].data()[i]});
        wrong += !(error <= bound * double{of_magnitudes[k].data()[i]});
        different += error > 0.0;
      }
      CHECK(wrong == 0);
      // The bias' gradient is a sum of float32 numbers, no product.
      CHECK((different > fp32[k].numel() / 2) == (k != 3));
    }
  }
}

TEST_CASE("autocast: what bf16 holds exactly gives float32's result, bit by bit") {
  for (const AutocastCase& c : kAutocastCases) {
    CAPTURE(c.name);
    const std::vector<Tensor> in = inputs_of(c, integers);
    const AutocastGuard autocast(Precision::kBf16);
    const Tensor bf16 = c.fn(in);
    const AutocastGuard inner(Precision::kFp32);
    CHECK_SAME_BITS(c.fn(in), bf16);
  }
}

TEST_CASE("autocast: same bits for every instruction set and number of threads") {
  std::vector<AutocastCase> cases = kAutocastCases;
  for (const bool pool : {false, true}) {  // the gradient is masked piece by piece
    cases.push_back({pool ? "ReLU and pool" : "ReLU",
                     [pool](const auto& t) {
                       return conv2d(t[0], t[1], t[2],
                                     {.activation = Activation::kRelu, .max_pool = pool});
                     },
                     {{63, 12, 11, 3}, {5, 3, 3, 3}, {5}}});
  }
  for (const AutocastCase& c : cases) {
    CAPTURE(c.name);
    const std::vector<Tensor> in =
        inputs_of(c, [](const Shape& s, std::uint64_t seed) { return randn(s, seed); });
    const std::vector<Tensor> expected = compute(c.fn, in, Precision::kBf16);
    for_each_isa([&](Isa) {
      for_each_threads([&](int) {
        const std::vector<Tensor> again = compute(c.fn, in, Precision::kBf16);
        for (std::size_t k = 0; k < expected.size(); ++k) CHECK_SAME_BITS(again[k], expected[k]);
      });
    });
  }
}

TEST_CASE("autocast: ReLU and max-pool in the convolution's pass are those of ops of their own") {
  const std::vector<Tensor> in = {randn({3, 7, 6, 5}, 1), randn({9, 3, 3, 5}, 2), randn({9}, 3)};
  for (const bool pool : {false, true}) {
    CAPTURE(pool);
    const auto in_one_pass = [&](const std::vector<Tensor>& t) {
      return conv2d(t[0], t[1], t[2],
                    {.padding = 1, .activation = Activation::kRelu, .max_pool = pool});
    };
    const auto one_by_one = [&](const std::vector<Tensor>& t) {
      const Tensor y = relu(conv2d(t[0], t[1], t[2], {.padding = 1}));
      return pool ? max_pool2d(y, {}) : y;
    };
    const std::vector<Tensor> expected = compute(one_by_one, in, Precision::kBf16);
    const std::vector<Tensor> got = compute(in_one_pass, in, Precision::kBf16);
    for (std::size_t k = 0; k < expected.size(); ++k) CHECK_SAME_BITS(got[k], expected[k]);
  }
}

TEST_CASE("autocast: grouped convolutions stay in float32") {
  const std::vector<Tensor> in = {randn({2, 5, 5, 6}, 1), randn({4, 3, 3, 3}, 2), randn({4}, 3)};
  const auto fn = [](const std::vector<Tensor>& t) {
    return conv2d(t[0], t[1], t[2], {.groups = 2});
  };
  const std::vector<Tensor> fp32 = compute(fn, in, Precision::kFp32);
  const std::vector<Tensor> bf16 = compute(fn, in, Precision::kBf16);
  for (std::size_t k = 0; k < fp32.size(); ++k) CHECK_SAME_BITS(bf16[k], fp32[k]);
}

TEST_CASE("autocast: backward multiplies as forward did, also after the guard's end") {
  const Tensor weights = randn({2, 4, 4, 3}, 3);
  const auto gradient = [&](bool backward_in_guard) {
    Tensor x = randn({2, 4, 4, 5}, 1).set_requires_grad(true);
    std::optional<AutocastGuard> autocast(Precision::kBf16);
    const Tensor loss = weighted_sum(conv2d(x, randn({3, 1, 1, 5}, 2), Tensor(), {}), weights);
    if (!backward_in_guard) autocast.reset();
    backward(loss);
    return x.grad();
  };
  CHECK_SAME_BITS(gradient(false), gradient(true));
  CHECK(autocast_precision() == Precision::kFp32);
}

TEST_CASE("autocast: the user hears of it exactly where bf16 is emulated") {
  const bool emulated = describe_bf16().find("emulated") != std::string::npos;
  CHECK(emulation_note(Precision::kFp32).empty());
  CHECK(emulation_note(Precision::kBf16).empty() != emulated);
  for_each_isa([](Isa isa) {
    if (isa == Isa::kScalar) CHECK(describe_bf16() == "scalar, emulated");
  });
}

}  // namespace
}  // namespace octet
