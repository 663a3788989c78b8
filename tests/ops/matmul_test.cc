#include "ops/matmul.h"

#include "kernels/bf16/bf16.h"
#include "ops/autocast.h"
#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

Tensor transposed(const Tensor& x) {
  Tensor t = Tensor::empty({x.dim(1), x.dim(0)});
  for (std::int64_t i = 0; i < x.dim(0); ++i) {
    for (std::int64_t j = 0; j < x.dim(1); ++j) {
      t.mutable_data()[j * x.dim(0) + i] = x.data()[i * x.dim(1) + j];
    }
  }
  return t;
}

// a b by the definition, summed in double.
Tensor product(const Tensor& a, const Tensor& b) {
  Tensor c = Tensor::empty({a.dim(0), b.dim(1)});
  for (std::int64_t i = 0; i < a.dim(0); ++i) {
    for (std::int64_t j = 0; j < b.dim(1); ++j) {
      double sum = 0.0;
      for (std::int64_t k = 0; k < a.dim(1); ++k) {
        sum += double{a.data()[i * a.dim(1) + k]} * double{b.data()[k * b.dim(1) + j]};
      }
      c.mutable_data()[i * b.dim(1) + j] = static_cast<float>(sum);
    }
  }
  return c;
}

// All forms against `expected`, and the same bits for every instruction set and number of threads.
void check_every_form(const Tensor& a, const Tensor& b, const Tensor& expected) {
  const Tensor at = transposed(a), bt = transposed(b);
  const Tensor nn = matmul_nn(a, b), nt = matmul_nt(a, bt), tn = matmul_tn(at, b);
  CHECK(allclose(nn, expected, {.rtol = 1e-4, .atol = 1e-4}));
  CHECK(allclose(nt, expected, {.rtol = 1e-4, .atol = 1e-4}));
  CHECK(allclose(tn, expected, {.rtol = 1e-4, .atol = 1e-4}));
  for_each_isa([&](Isa) {
    for_each_threads([&](int) {
      CHECK_SAME_BITS(matmul_nn(a, b), nn);
      CHECK_SAME_BITS(matmul_nt(a, bt), nt);
      CHECK_SAME_BITS(matmul_tn(at, b), tn);
    });
  });
}

TEST_CASE("matmul: every form is the definition's, for every instruction set and threads") {
  struct Size {
    std::int64_t m, n, k;
  };
  for (const Size s :
       {Size{1, 1, 1}, Size{3, 5, 2}, Size{16, 16, 144}, Size{33, 70, 29}, Size{130, 65, 300}}) {
    CAPTURE(s.m);
    CAPTURE(s.n);
    CAPTURE(s.k);
    const Tensor a = randn({s.m, s.k}, 1), b = randn({s.k, s.n}, 2);
    check_every_form(a, b, product(a, b));
  }
}

TEST_CASE("matmul: under autocast to bf16 the operands are rounded, the same bits everywhere") {
  const auto rounded = [](const Tensor& x) {
    Tensor r = Tensor::empty(x.shape());
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      r.mutable_data()[i] = kernels::from_bf16(kernels::to_bf16(x.data()[i]));
    }
    return r;
  };
  struct Size {
    std::int64_t m, n, k;
  };
  for (const Size s : {Size{3, 5, 2}, Size{33, 70, 29}, Size{130, 65, 301}}) {
    CAPTURE(s.m);
    const Tensor a = randn({s.m, s.k}, 1), b = randn({s.k, s.n}, 2);
    const Tensor expected = product(rounded(a), rounded(b));
    const AutocastGuard autocast(Precision::kBf16);
    check_every_form(a, b, expected);
  }
}

TEST_CASE("matmul: shapes that do not fit are refused") {
  const Tensor a = randn({2, 3}, 1), b = randn({4, 5}, 2);
  CHECK_THROWS_WITH_AS(matmul_nn(a, b), "[matmul_nn] cannot multiply [2, 3] and [4, 5]", Error);
  CHECK_THROWS_WITH_AS(matmul_nt(a, b), "[matmul_nt] cannot multiply [2, 3] and [4, 5]", Error);
  CHECK_THROWS_WITH_AS(matmul_tn(a, b), "[matmul_tn] cannot multiply [2, 3] and [4, 5]", Error);
  CHECK_THROWS_AS(matmul_nn(a, randn({3}, 1)), Error);
  CHECK_THROWS_AS(matmul_nn(a, Tensor()), Error);
}

}  // namespace
}  // namespace octet
