#include "ops/linear.h"

#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

TEST_CASE("linear: values computed by hand") {
  const Tensor x = Tensor::from({1, 2, 3, -1, 0, 1}, {2, 3});
  const Tensor weight = Tensor::from({1, 0, 2, 0, 5, -1}, {2, 3});
  CHECK_SAME_BITS(linear(x, weight, Tensor::from({100, 200}, {2})),
                  Tensor::from({107, 207, 101, 199}, {2, 2}));
  CHECK_SAME_BITS(linear(x, weight, Tensor()), Tensor::from({7, 7, 1, -1}, {2, 2}));
}

TEST_CASE("linear: gradients match finite differences") {
  for (const std::int64_t batch : {1, 5, 17}) {
    CAPTURE(batch);
    const auto fn = [](const std::vector<Tensor>& in) { return linear(in[0], in[1], in[2]); };
    CHECK(gradcheck(fn, {randn({batch, 7}, 1), randn({19, 7}, 2), randn({19}, 3)},
                    {.eps = 0.5, .tol = 1e-4}));
  }
}

TEST_CASE("linear: same bits for every instruction set and number of threads") {
  const std::vector<Tensor> in = {randn({130, 33}, 1), randn({70, 33}, 2), randn({70}, 3)};
  const auto fn = [](const std::vector<Tensor>& t) { return linear(t[0], t[1], t[2]); };
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

TEST_CASE("linear: a row's result does not depend on the rest of the batch") {
  const Tensor x = randn({40, 21}, 1), weight = randn({10, 21}, 2);
  const Tensor all = linear(x, weight, Tensor());
  const Tensor one =
      linear(Tensor::from({x.data() + 39 * 21, x.data() + 40 * 21}, {1, 21}), weight, Tensor());
  CHECK(std::equal(one.data(), one.data() + 10, all.data() + 39 * 10));
}

TEST_CASE("linear: shapes that do not fit") {
  const Tensor weight = Tensor::zeros({10, 400});
  CHECK_THROWS_WITH_AS(linear(Tensor::zeros({2, 256}), weight, Tensor()),
                       "[linear] expects 400 features, got 256", Error);
  CHECK_THROWS_AS(linear(Tensor::zeros({2, 4, 100}), weight, Tensor()), Error);
  CHECK_THROWS_AS(linear(Tensor::zeros({0, 400}), weight, Tensor()), Error);
  CHECK_THROWS_WITH_AS(linear(Tensor::zeros({2, 400}), weight, Tensor::zeros({1, 10})),
                       "[linear] bias expects shape [10], got [1, 10]", Error);
}

}  // namespace
}  // namespace octet
