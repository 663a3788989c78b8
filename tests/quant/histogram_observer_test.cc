#include "quant/histogram_observer.h"

#include <cmath>
#include <limits>

#include "quant/fake_quantize.h"
#include "tests/testing.h"

namespace octet {
namespace {

constexpr int kBins = HistogramObserver::kBins;
constexpr TensorQConfig kHistogram{.observer = ObserverKind::kHistogram};

const float* histogram(const HistogramObserver& observer) {
  return observer.buffers().back().second.data();
}

// Batch b of the same 20,000 numbers in [0, 1), permuted, through f(u, b).
template <class F>
Tensor spread(int b, F f) {
  Tensor x = Tensor::empty({20000});
  for (std::int64_t i = 0; i < 20000; ++i) {
    const double u = static_cast<double>((i * 7919 + b * 104729) % 10007) / 10007.0;
    x.mutable_data()[i] = static_cast<float>(f(u, b));
  }
  return x;
}

}  // namespace

TEST_CASE("histogram observer: counts in equal bins, the largest value in the last") {
  HistogramObserver observer(256);
  CHECK_FALSE(observer.observed());
  observer.observe(Tensor::from({0.0f, 0.5f, 1.0f, 1.5f, 2047.0f, 2047.5f, 2048.0f}, {7}));
  CHECK(histogram(observer)[0] == 2.0f);
  CHECK(histogram(observer)[1] == 2.0f);
  CHECK(histogram(observer)[2] == 0.0f);
  CHECK(histogram(observer)[kBins - 1] == 3.0f);
  observer.observe(Tensor::from({1.25f}, {1}));
  CHECK(histogram(observer)[1] == 3.0f);
}

TEST_CASE("histogram observer: a range that grows takes the counts along") {
  HistogramObserver observer(256);
  observer.observe(Tensor::from({0.0f, 1.0f, 2048.0f}, {3}));  // bins of 1: 0, 1 and the last
  observer.observe(Tensor::from({4096.0f}, {1}));              // bins of 2
  CHECK(histogram(observer)[0] == 2.0f);
  CHECK(histogram(observer)[1023] == 1.0f);  // from 2047 to 2048
  CHECK(histogram(observer)[kBins - 1] == 1.0f);

  observer.observe(Tensor::from({-2048.0f}, {1}));  // bins of 3, from -2048 on
  // [0, 2) held 2 values: 2047 / 3 = 682.3, so the first sixth of it, 2 parts of 16 (and the part
  // whose middle is below 1) lie in bin 682, the rest in 683.
  CHECK(histogram(observer)[682] == 2.0f * 8.0f / 16.0f);
  CHECK(histogram(observer)[683] == 2.0f * 8.0f / 16.0f);
  CHECK(histogram(observer)[0] == 1.0f);
  CHECK(*observer.min_val().data() == -2048.0f);
  CHECK(*observer.max_val().data() == 4096.0f);
}

TEST_CASE("histogram observer: one value only is a range without width, which can grow") {
  HistogramObserver observer(256);
  observer.observe(Tensor::full({10}, 3.0f));
  CHECK(observer.quantized_range(0) == ValueRange{3.0f, 3.0f});
  observer.observe(Tensor::from({1.0f, 5.0f}, {2}));
  CHECK(histogram(observer)[1024] == 10.0f);
  CHECK(histogram(observer)[0] == 1.0f);
  CHECK(histogram(observer)[kBins - 1] == 1.0f);
}

TEST_CASE("histogram observer: bounds that no float difference holds") {
  HistogramObserver observer(256);
  const float largest = std::numeric_limits<float>::max();
  observer.observe(Tensor::from({-largest, 0.0f, largest}, {3}));
  CHECK(histogram(observer)[0] == 1.0f);
  CHECK(histogram(observer)[1024] == 1.0f);
  CHECK(histogram(observer)[kBins - 1] == 1.0f);
}

// The numbers are PyTorch 2.13's HistogramObserver on the same values (its _non_linear_param_search
// with dst_nbins 256 and 16).
TEST_CASE("histogram observer: gives PyTorch's ranges") {
  const auto relu = [](double u, int b) { return std::max(0.0, 4 * u * u * u * (1 + b) - 0.25); };
  const auto tails = [](double u, int) { return std::tan(3.1 * (u - 0.5)); };
  const auto even = [](double u, int) { return 2 * u - 1; };
  const auto check = [](int codes, const auto& f, ValueRange expected, ValueRange whole) {
    HistogramObserver observer(codes);
    for (int b = 0; b < 3; ++b) observer.observe(spread(b, f));
    const ValueRange got = observer.quantized_range(0);
    const float bin = (whole.max - whole.min) / kBins;  // it counts in float32, we in double
    CAPTURE(codes);
    CHECK(*observer.min_val().data() == doctest::Approx(whole.min));
    CHECK(*observer.max_val().data() == doctest::Approx(whole.max));
    CHECK(std::fabs(got.min - expected.min) < 1.1f * bin);
    CHECK(std::fabs(got.max - expected.max) < 1.1f * bin);
  };
  check(256, relu, {0.0f, 11.706254f}, {0.0f, 11.746403f});
  check(16, relu, {0.0f, 10.909013f}, {0.0f, 11.746403f});
  check(256, tails, {-48.078484f, 46.673508f}, {-48.078484f, 47.372608f});
  check(16, tails, {-48.078484f, 42.385666f}, {-48.078484f, 47.372608f});
  check(256, even, {-1.0f, 0.99882376f}, {-1.0f, 0.9998001f});
}

TEST_CASE("histogram observer: the same state for every number of threads") {
  const Tensor x = testing::randn({3, 300000}, 1), more = testing::randn({700000}, 2);
  HistogramObserver expected(256);
  expected.observe(x);
  expected.observe(more);
  testing::for_each_threads([&](int) {
    HistogramObserver observer(256);
    observer.observe(x);
    observer.observe(more);
    CHECK_SAME_BITS(observer.buffers().back().second, expected.buffers().back().second);
    CHECK(observer.quantized_range(0) == expected.quantized_range(0));
  });
}

TEST_CASE("histogram observer: a value that is not finite leaves everything as it was") {
  HistogramObserver observer(256);
  observer.observe(Tensor::from({0.0f, 1.0f}, {2}));
  const Tensor before = observer.buffers().back().second.clone();
  CHECK_THROWS_AS(
      observer.observe(Tensor::from({0.5f, std::numeric_limits<float>::infinity()}, {2})), Error);
  CHECK_SAME_BITS(observer.buffers().back().second, before);
  CHECK(*observer.max_val().data() == 1.0f);
}

TEST_CASE("fake quantize: a histogram's state continues from its buffers to the same bits") {
  FakeQuantize whole(TensorRole::kActivation, kHistogram);
  FakeQuantize resumed(TensorRole::kActivation, kHistogram);
  whole(testing::randn({50000}, 1));
  const auto from = whole.buffers(), to = resumed.buffers();
  REQUIRE(from.size() == to.size());
  CHECK(from[4].first == "histogram");
  for (std::size_t i = 0; i < from.size(); ++i) Tensor(to[i].second).copy_from(from[i].second);
  const Tensor next = testing::randn({60000}, 2);
  CHECK_SAME_BITS(resumed(next), whole(next));
  for (std::size_t i = 0; i < from.size(); ++i) CHECK_SAME_BITS(to[i].second, from[i].second);
  CHECK_THROWS_AS(
      FakeQuantize(TensorRole::kWeight,
                   {.qscheme = QScheme::kPerChannelSymmetric, .observer = ObserverKind::kHistogram},
                   3),
      Error);
}

TEST_CASE("fake quantize: with a histogram, outliers do not take the codes of all others") {
  Tensor x = testing::randn({100000}, 1);
  x.mutable_data()[0] = 40.0f;
  FakeQuantize min_max(TensorRole::kActivation, {.observer = ObserverKind::kMinMax, .bits = 4});
  FakeQuantize histogram(TensorRole::kActivation,
                         {.observer = ObserverKind::kHistogram, .bits = 4});
  const auto error = [&](FakeQuantize& f) {
    const Tensor y = f(x);
    double sum = 0.0;
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      sum += std::pow(double{y.data()[i]} - double{x.data()[i]}, 2);
    }
    return sum;
  };
  const double by_range = error(min_max), by_search = error(histogram);
  CAPTURE(by_range);
  CAPTURE(by_search);
  CHECK(by_search < 0.5 * by_range);
}

}  // namespace octet
