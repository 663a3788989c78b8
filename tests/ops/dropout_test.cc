#include "ops/dropout.h"

#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

TEST_CASE("dropout: elements are 0 or scaled, about p of them 0") {
  const Tensor x = Tensor::full({100, 500}, 3.0f);
  const Tensor y = dropout(x, {.p = 0.25f, .seed = 1});
  int zeros = 0;
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    zeros += y.data()[i] == 0.0f;
    REQUIRE((y.data()[i] == 0.0f || y.data()[i] == 3.0f * (1.0f / 0.75f)));
  }
  CHECK(std::abs(zeros - 12500) < 400);  // standard deviation 97
  CHECK_SAME_BITS(dropout(x, {.p = 0.0f}), x);
}

TEST_CASE("dropout: the mask belongs to the sample's place in the epoch, not to the batch") {
  const Tensor x = Tensor::full({6, 20}, 1.0f), half = Tensor::full({3, 20}, 1.0f);
  const Tensor whole = dropout(x, {.seed = 1, .epoch = 2, .first_index = 10});
  const Tensor tail = dropout(half, {.seed = 1, .epoch = 2, .first_index = 13});
  CHECK(std::equal(tail.data(), tail.data() + 60, whole.data() + 60));
  CHECK_FALSE(same_bits(whole, dropout(x, {.seed = 2, .epoch = 2, .first_index = 10})));
  CHECK_FALSE(same_bits(whole, dropout(x, {.seed = 1, .epoch = 3, .first_index = 10})));
}

TEST_CASE("dropout: gradient matches finite differences, threads do not matter") {
  const DropoutOptions options{.p = 0.4f, .seed = 5};
  const auto fn = [&](const auto& in) { return dropout(in[0], options); };
  const Tensor x = randn({5, 3, 2, 2}, 1);
  CHECK(gradcheck(fn, {x}, {.eps = 0.5, .tol = 1e-4}));
  const Tensor y = fn(std::vector{x});
  for_each_threads([&](int) { CHECK_SAME_BITS(fn(std::vector{x}), y); });
}

TEST_CASE("dropout: bad arguments") {
  const Tensor x = Tensor::zeros({2, 2});
  CHECK_THROWS_WITH_AS(dropout(x, {.p = 1.0f}), "[dropout] expects 0 <= p < 1, got 1", Error);
  CHECK_THROWS_AS(dropout(x, {.p = -0.1f}), Error);
  CHECK_THROWS_AS(dropout(Tensor::zeros({}), {}), Error);
  CHECK_THROWS_AS(dropout(x.clone().set_qparams(QParams{}), {}), Error);
}

}  // namespace
}  // namespace octet
