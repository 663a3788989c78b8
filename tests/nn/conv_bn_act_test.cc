#include "nn/conv_bn_act.h"

#include <cmath>

#include "nn/add_act.h"
#include "ops/autocast.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

constexpr ConvBnAct::Options kResidual{
    .in = 3, .out = 5, .kernel = 3, .stride = 2, .padding = 1, .shortcut = true};

// The same layer in two leaves.
struct Separate {
  ConvBnAct conv;
  AddAct add;

  explicit Separate(const ConvBnAct::Options& o) : conv(convolution(o)), add({.act = o.act}) {}

  static ConvBnAct::Options convolution(ConvBnAct::Options o) {
    o.shortcut = false;
    o.act = Act::kNone;
    return o;
  }
};

ConvBnAct::Options with(Norm norm, Act act) {
  ConvBnAct::Options o = kResidual;
  o.norm = norm;
  o.act = act;
  return o;
}

struct Result {
  Tensor y;
  std::vector<Tensor> gradients;  // of x, the shortcut, and every parameter
};

template <class Forward>
Result run(Module& parameters, const Forward& forward) {
  const Tensor x = randn({2, 6, 6, 3}, 1).set_requires_grad(true);
  const Tensor shortcut = randn({2, 3, 3, 5}, 2).set_requires_grad(true);
  Result r{forward(x, shortcut), {}};
  backward(weighted_sum(r.y, randn(r.y.shape(), 3)));
  r.gradients = {x.grad(), shortcut.grad()};
  for (const NamedTensor& t : parameters.named_parameters()) {
    r.gradients.push_back(t.tensor.grad());
  }
  return r;
}

}  // namespace

TEST_CASE("conv with shortcut: results and gradients are those of a convolution and an add") {
  for (const Norm norm : {Norm::kBatch, Norm::kNone}) {
    for (const Act act : {Act::kNone, Act::kRelu, Act::kRelu6}) {
      for (const bool training : {true, false}) {
        CAPTURE(static_cast<int>(norm));
        CAPTURE(static_cast<int>(act));
        CAPTURE(training);
        ConvBnAct fused(with(norm, act));
        Separate separate(with(norm, act));
        initialize(fused, 1);
        initialize(separate.conv, 1);
        fused.train(training);
        separate.conv.train(training);
        const Result a = run(fused, [&](const Tensor& x, const Tensor& s) { return fused(x, s); });
        const Result b = run(separate.conv, [&](const Tensor& x, const Tensor& s) {
          return separate.add(separate.conv(x), s);
        });
        CHECK_SAME_BITS(a.y, b.y);
        REQUIRE(a.gradients.size() == b.gradients.size());
        for (std::size_t i = 0; i < a.gradients.size(); ++i) {
          CAPTURE(i);
          CHECK_ALLCLOSE(a.gradients[i], b.gradients[i]);
        }
        const auto left = fused.named_buffers(), right = separate.conv.named_buffers();
        for (std::size_t i = 0; i < left.size(); ++i) {
          CHECK_SAME_BITS(left[i].tensor, right[i].tensor);
        }
      }
    }
  }
}

TEST_CASE("conv with shortcut: what does not fit is an error that names the layer") {
  ConvBnAct residual(kResidual), plain({.in = 3, .out = 5});
  const Tensor x = randn({2, 6, 6, 3}, 1);
  CHECK_THROWS_WITH_AS(residual(x), doctest::Contains("an input and a shortcut, got 1"), Error);
  CHECK_THROWS_WITH_AS(plain(x, x), doctest::Contains("one input, got 2"), Error);
  CHECK_THROWS_WITH_AS(residual(x, randn({2, 6, 6, 5}, 2)), doctest::Contains("[2, 6, 6, 5]"),
                       Error);
  CHECK_THROWS_WITH_AS(residual(x, randn({2, 3, 3, 1}, 2)), doctest::Contains("shape"), Error);
}

TEST_CASE("conv with shortcut: prepared, it watches the convolution and the sum") {
  ConvBnAct residual(kResidual);
  initialize(residual, 1);
  residual.set_qconfig({});
  REQUIRE(residual.fake_quantizers().size() == 3);
  std::vector<std::string> scales;
  for (const NamedTensor& t : residual.named_buffers()) {
    if (t.name.ends_with(".scale")) scales.push_back(t.name);
  }
  CHECK(scales == std::vector<std::string>{"weight_fake_quant.scale", "conv_fake_quant.scale",
                                           "activation_fake_quant.scale"});
  const Tensor x = randn({2, 6, 6, 3}, 1), shortcut = Tensor::full({2, 3, 3, 5}, 2.0f);
  residual.freeze_bn_stats(true);
  residual(x, shortcut);
  const QParams conv = residual.fake_quantizers()[1]->qparams();
  const QParams sum = residual.fake_quantizers()[2]->qparams();
  CHECK(conv.zero_point > 0);  // negative numbers too: no ReLU before the add
  CHECK(sum.zero_point == 0);

  // Training sees the sum of what was rounded: relu(conv + shortcut) on the grid of the sum.
  ConvBnAct::Options plain_options = with(Norm::kBatch, Act::kNone);
  plain_options.shortcut = false;
  ConvBnAct plain(plain_options);
  initialize(plain, 1);
  plain.set_qconfig({});
  plain.freeze_bn_stats(true);
  const Tensor expected = plain(x), y = residual(x, shortcut);
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    const float value = std::max(0.0f, expected.data()[i] + 2.0f);
    CHECK(std::fabs(y.data()[i] - value) <= 0.501f * sum.scale);
    CHECK(y.data()[i] == sum.scale * std::round(y.data()[i] / sum.scale));
  }
}

TEST_CASE("conv: the initial weights have the spread that was asked for, and gamma its value") {
  ConvBnAct normal(
      {.in = 16, .out = 32, .kernel = 3, .init = ConvInit::kNormalFanOut, .initial_gamma = 0.0f});
  initialize(normal, 1);
  const Tensor w = normal.named_parameters()[0].tensor, gamma = normal.named_parameters()[1].tensor;
  double sum = 0.0, squares = 0.0;
  for (std::int64_t i = 0; i < w.numel(); ++i) {
    sum += double{w.data()[i]};
    squares += double{w.data()[i]} * double{w.data()[i]};
  }
  const double count = static_cast<double>(w.numel()), variance = 2.0 / (9 * 32);
  // Four standard errors of mean and variance of `count` normal numbers.
  CHECK(std::fabs(sum / count) < 4.0 * std::sqrt(variance / count));
  CHECK(std::fabs(squares / count / variance - 1.0) < 4.0 * std::sqrt(2.0 / count));
  CHECK_SAME_BITS(gamma.detach(), Tensor::zeros({32}));
}

TEST_CASE("a prepared leaf does not compute under an AutocastGuard") {
  ConvBnAct conv({.in = 2, .out = 3, .kernel = 1});
  const Tensor x = testing::randn({1, 3, 3, 2}, 1);
  const AutocastGuard autocast(Precision::kBf16);
  CHECK(conv(x).defined());
  conv.set_qconfig({});
  CHECK_THROWS_WITH_AS(conv(x), doctest::Contains("under an AutocastGuard"), Error);
}

}  // namespace octet
