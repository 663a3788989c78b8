#include "optim/weight_ema.h"

#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

TEST_CASE("weight_ema: by hand, swapped in and out") {
  Tensor w = Tensor::from({1.0f, 8.0f}, {2});
  WeightEma ema({{"w", w}}, 0.75f);
  w.copy_from(Tensor::from({5.0f, 0.0f}, {2}));
  ema.update();  // 1 + (5 - 1) / 4, 8 - 8 / 4
  CHECK_SAME_BITS(ema.state()[0].tensor, Tensor::from({2.0f, 6.0f}, {2}));
  CHECK(ema.state()[0].name == "ema.w");
  ema.swap_in();
  CHECK_SAME_BITS(w, Tensor::from({2.0f, 6.0f}, {2}));
  CHECK_THROWS_AS(ema.update(), Error);
  CHECK_THROWS_AS(ema.swap_in(), Error);
  ema.swap_out();
  CHECK_SAME_BITS(w, Tensor::from({5.0f, 0.0f}, {2}));
  CHECK_SAME_BITS(ema.state()[0].tensor, Tensor::from({2.0f, 6.0f}, {2}));
  CHECK_THROWS_AS(ema.swap_out(), Error);
}

TEST_CASE("weight_ema: the same bits for every number of threads") {
  const auto run = [] {
    Tensor w = randn({50000}, 1);
    WeightEma ema({{"w", w}}, 0.99f);
    w.copy_from(randn({50000}, 2));
    ema.update();
    ema.update();
    return ema.state()[0].tensor;
  };
  const Tensor expected = run();
  for_each_threads([&](int) { CHECK_SAME_BITS(run(), expected); });
}

TEST_CASE("weight_ema: bad arguments") {
  CHECK_THROWS_AS(WeightEma({}, 1.0f), UsageError);
  CHECK_THROWS_AS(WeightEma({}, -0.5f), UsageError);
  CHECK_THROWS_AS(WeightEma({{"n", Tensor::zeros({1}, DType::kI64)}}, 0.5f), Error);
}

}  // namespace
}  // namespace octet
