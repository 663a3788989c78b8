#include "quant/observer.h"

#include <cmath>
#include <limits>

#include "tests/testing.h"

namespace octet {
namespace {

using Values = std::vector<float>;

Values values(const Tensor& t) { return {t.data(), t.data() + t.numel()}; }

}  // namespace

TEST_CASE("min-max observer: keeps the smallest and largest value ever seen") {
  MinMaxObserver observer(0);
  CHECK_FALSE(observer.observed());
  observer.observe(Tensor::from({0.5f, -2.0f, 3.0f, 1.0f}, {2, 2}));
  CHECK(observer.observed());
  CHECK(values(observer.min_val()) == Values{-2.0f});
  CHECK(values(observer.max_val()) == Values{3.0f});
  observer.observe(Tensor::from({-1.0f, 4.0f}, {2}));
  CHECK(values(observer.min_val()) == Values{-2.0f});
  CHECK(values(observer.max_val()) == Values{4.0f});
}

TEST_CASE("min-max observer: one range per channel along axis 0") {
  MinMaxObserver observer(3);
  observer.observe(Tensor::from({1.0f, 2.0f, -1.0f, -3.0f, 0.0f, 0.0f}, {3, 1, 1, 2}));
  CHECK(values(observer.min_val()) == Values{1.0f, -3.0f, 0.0f});
  CHECK(values(observer.max_val()) == Values{2.0f, -1.0f, 0.0f});
  CHECK_THROWS_AS(observer.observe(Tensor::zeros({2, 3})), Error);
}

TEST_CASE("moving average observer: the first batch sets the range, later ones pull at it") {
  MovingAverageMinMaxObserver observer(0, 0.25f);
  observer.observe(Tensor::from({-1.0f, 2.0f}, {2}));
  CHECK(values(observer.min_val()) == Values{-1.0f});
  CHECK(values(observer.max_val()) == Values{2.0f});
  observer.observe(Tensor::from({-3.0f, 6.0f}, {2}));
  CHECK(values(observer.min_val()) == Values{-1.5f});  // -1 + (-3 + 1) / 4
  CHECK(values(observer.max_val()) == Values{3.0f});   // 2 + (6 - 2) / 4
  CHECK_THROWS_AS(MovingAverageMinMaxObserver(0, 0.0f), Error);
  CHECK_THROWS_AS(MovingAverageMinMaxObserver(0, 1.5f), Error);
}

TEST_CASE("observer: a range over many chunks is the same for every number of threads") {
  Tensor x = testing::randn({3, 100000}, 1);
  x.mutable_data()[99999] = 50.0f;    // the last of channel 0
  x.mutable_data()[100000] = -60.0f;  // the first of channel 1
  testing::for_each_threads([&](int) {
    MinMaxObserver observer(3);
    observer.observe(x);
    CHECK(observer.max_val().data()[0] == 50.0f);
    CHECK(observer.min_val().data()[1] == -60.0f);
    CHECK(observer.max_val().data()[1] < 10.0f);
    MinMaxObserver whole(0);
    whole.observe(x);
    CHECK(values(whole.min_val()) == Values{-60.0f});
    CHECK(values(whole.max_val()) == Values{50.0f});
  });
}

TEST_CASE("observer: a value that is not finite is an error and leaves the range as it was") {
  MinMaxObserver observer(0);
  observer.observe(Tensor::from({1.0f, 2.0f}, {2}));
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
        std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(observer.observe(Tensor::from({0.0f, bad, 5.0f}, {3})), Error);
    CHECK(values(observer.min_val()) == Values{1.0f});
    CHECK(values(observer.max_val()) == Values{2.0f});
  }
}

}  // namespace octet
