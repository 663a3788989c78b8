#include "optim/muon.h"

#include "ops/matmul.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

// p(s) = a s + b s^3 + c s^5, again and again: what becomes of a singular value.
double iterated(double s, int iterations) {
  for (int i = 0; i < iterations; ++i) {
    s = 3.4445 * s - 4.7750 * s * s * s + 2.0315 * s * s * s * s * s;
  }
  return s;
}

NamedTensor convolution_weight(Shape shape, std::uint64_t seed) {
  return {"conv.weight", randn(std::move(shape), seed).set_requires_grad(true)};
}

}  // namespace

TEST_CASE("orthogonalized: the singular values of a diagonal matrix go the polynomial's way") {
  for (const int iterations : {1, 3, 5}) {
    for (const Shape& shape : {Shape{3, 3}, Shape{3, 4}, Shape{5, 3}}) {
      CAPTURE(iterations);
      CAPTURE(shape);
      Tensor m = Tensor::zeros(shape);
      const std::vector<double> values = {3.0, -4.0, 0.5};
      for (std::int64_t i = 0; i < 3; ++i) {
        m.mutable_data()[i * shape[1] + i] =
            static_cast<float>(values[static_cast<std::size_t>(i)]);
      }
      const Tensor x = orthogonalized(m, iterations);
      Tensor expected = Tensor::zeros(shape);
      for (std::int64_t i = 0; i < 3; ++i) {
        const double s = values[static_cast<std::size_t>(i)] / std::sqrt(9.0 + 16.0 + 0.25);
        expected.mutable_data()[i * shape[1] + i] = static_cast<float>(iterated(s, iterations));
      }
      CHECK(allclose(x, expected, {.rtol = 1e-5, .atol = 1e-6}));
    }
  }
}

TEST_CASE("orthogonalized: rows or columns become nearly orthonormal, the same bits everywhere") {
  for (const Shape& shape : {Shape{16, 144}, Shape{64, 27}, Shape{40, 40}}) {
    CAPTURE(shape);
    const Tensor m = randn(shape, 3), x = orthogonalized(m, 5);
    const bool tall = shape[0] > shape[1];
    const Tensor gram = tall ? matmul_tn(x, x) : matmul_nt(x, x);
    // Singular values within [0.7, 1.2] make the Gram matrix's trace the rank within their squares.
    double trace = 0.0;
    for (std::int64_t i = 0; i < gram.dim(0); ++i) trace += gram.data()[i * (gram.dim(0) + 1)];
    CHECK(trace > 0.49 * static_cast<double>(gram.dim(0)));
    CHECK(trace < 1.44 * static_cast<double>(gram.dim(0)));
    for_each_isa(
        [&](Isa) { for_each_threads([&](int) { CHECK_SAME_BITS(orthogonalized(m, 5), x); }); });
  }
}

TEST_CASE("orthogonalized: a matrix of zeros stays, what is no matrix is refused") {
  CHECK_SAME_BITS(orthogonalized(Tensor::zeros({2, 3}), 5), Tensor::zeros({2, 3}));
  CHECK_THROWS_AS(orthogonalized(randn({2, 3, 4}, 1), 5), Error);
}

// torch.optim.Muon's rule, written out.
TEST_CASE("muon: two steps with momentum, decoupled decay and the factor of tall matrices") {
  const Shape shape = {8, 1, 1, 2};
  NamedTensor w = convolution_weight(shape, 1);
  Muon muon({w}, {.lr_ratio = 2.0f, .momentum = 0.75f, .weight_decay = 0.5f, .iterations = 3});
  Tensor m = Tensor::zeros(shape);
  for (std::uint64_t step = 0; step < 2; ++step) {
    const Tensor g = randn(shape, 10 + step), before = w.tensor.clone();
    Tensor u = Tensor::empty(shape);
    for (std::int64_t i = 0; i < g.numel(); ++i) {
      m.mutable_data()[i] = 0.75f * m.data()[i] + 0.25f * g.data()[i];
      u.mutable_data()[i] = 0.25f * g.data()[i] + 0.75f * m.data()[i];
    }
    const Tensor o = orthogonalized(u.reshape({8, 2}), 3);
    Tensor expected = Tensor::empty(shape);
    for (std::int64_t i = 0; i < g.numel(); ++i) {  // lr 0.25 * 2; sqrt(8 / 2) = 2
      expected.mutable_data()[i] =
          (1.0f - 0.5f * 0.5f) * before.data()[i] - 0.5f * 2.0f * o.data()[i];
    }
    w.tensor.set_grad(g);
    muon.step(0.25f);
    CHECK(allclose(w.tensor, expected));
  }
  CHECK(allclose(muon.state()[0].tensor, m));
  CHECK(muon.state()[0].name == "optimizer.conv.weight.momentum");
}

TEST_CASE("muon: what is no convolution's weight is left to SGD") {
  NamedTensor conv = convolution_weight({4, 3, 3, 2}, 1);
  NamedTensor fc{"fc.weight", randn({3, 4}, 2).set_requires_grad(true)};
  NamedTensor alone{"fc.weight", fc.tensor.clone().set_requires_grad(true)};
  const SgdOptions options{.momentum = 0.5f, .weight_decay = 0.125f};
  Muon muon({conv, fc}, {.others = options});
  Sgd sgd({alone}, options);
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Tensor g = randn({3, 4}, 5 + step);
    fc.tensor.set_grad(g);
    alone.tensor.set_grad(g);
    muon.step(0.1f, 0.5f);  // conv has no gradient: it stays
    sgd.step(0.1f, 0.5f);
    CHECK_SAME_BITS(fc.tensor, alone.tensor);
  }
  CHECK_SAME_BITS(conv.tensor, randn({4, 3, 3, 2}, 1));
  CHECK(muon.state().size() == 2);
  conv.tensor.set_grad(conv.tensor.clone());
  muon.zero_grad();
  CHECK_FALSE(conv.tensor.grad().defined());
  CHECK_FALSE(fc.tensor.grad().defined());
}

TEST_CASE("muon: the gradients' scale does not matter to a convolution's weight") {
  const Tensor g = randn({4, 3, 3, 2}, 7);
  const auto stepped = [&](float grad_scale) {
    NamedTensor w = convolution_weight({4, 3, 3, 2}, 1);
    Muon muon({w}, {});
    w.tensor.set_grad(g);
    muon.step(0.1f, grad_scale);
    return w.tensor;
  };
  CHECK(allclose(stepped(1.0f), stepped(0.125f), {.rtol = 1e-4, .atol = 1e-5}));
}

TEST_CASE("muon: options out of range are refused") {
  const std::vector<NamedTensor> w = {convolution_weight({2, 1, 1, 2}, 1)};
  CHECK_THROWS_AS(Muon(w, {.lr_ratio = 0.0f}), UsageError);
  CHECK_THROWS_AS(Muon(w, {.momentum = 1.0f}), UsageError);
  CHECK_THROWS_AS(Muon(w, {.weight_decay = -1.0f}), UsageError);
  CHECK_THROWS_AS(Muon(w, {.iterations = 0}), UsageError);
  CHECK_THROWS_AS(Muon(w, {.others = {.momentum = 2.0f}}), UsageError);
}

}  // namespace octet
