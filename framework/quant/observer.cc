#include "quant/observer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "quant/histogram_observer.h"

namespace octet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// An integer that orders as the number does (-0 before 0, NaN beyond the infinities), and back:
// integer minima vectorize, and show what is not finite.
std::int32_t ordered(std::int32_t bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }

struct Range {
  std::int32_t min = std::numeric_limits<std::int32_t>::max();
  std::int32_t max = std::numeric_limits<std::int32_t>::min();

  float min_value() const { return std::bit_cast<float>(ordered(min)); }
  float max_value() const { return std::bit_cast<float>(ordered(max)); }
};

// Minimum and maximum do not depend on the order, so any chunking gives the same bits.
Range range_of(const float* x, std::int64_t count) {
  Range r;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t key = ordered(std::bit_cast<std::int32_t>(x[i]));
    r.min = std::min(r.min, key);
    r.max = std::max(r.max, key);
  }
  return r;
}

}  // namespace

Observer::Observer(std::int64_t channels)
    : channels_(channels),
      min_val_(Tensor::full({std::max<std::int64_t>(channels, 1)}, kInfinity)),
      max_val_(Tensor::full({std::max<std::int64_t>(channels, 1)}, -kInfinity)) {}

void Observer::observe(const Tensor& x) {
  OCTET_CHECK(channels_ == 0 || (x.rank() >= 1 && x.dim(0) == channels_), "observes ", channels_,
              " channels, got shape ", x.shape());
  const std::int64_t rows = min_val_.numel(), count = x.numel() / rows, chunk = 1 << 15;
  const std::int64_t chunks = std::max<std::int64_t>(1, (count + chunk - 1) / chunk);
  std::vector<Range> parts(static_cast<std::size_t>(rows * chunks));
  const float* data = x.data();
  parallel_for(rows * chunks, [&](std::int64_t i) {
    const std::int64_t begin = i % chunks * chunk, size = std::min(chunk, count - begin);
    parts[static_cast<std::size_t>(i)] = range_of(data + i / chunks * count + begin, size);
  });

  std::vector<Range> ranges(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Range& range = ranges[i / static_cast<std::size_t>(chunks)];
    range = {std::min(range.min, parts[i].min), std::max(range.max, parts[i].max)};
  }
  for (const Range& range : ranges) {  // before any state changes
    OCTET_CHECK(std::isfinite(range.min_value()) && std::isfinite(range.max_value()),
                "saw a value that is not finite: training has diverged, lower the learning rate");
  }
  for (std::size_t c = 0; c < ranges.size(); ++c) {
    float& low = min_val_.mutable_data()[c];
    float& high = max_val_.mutable_data()[c];
    update(ranges[c].min_value(), ranges[c].max_value(), low > high, low, high);
  }
}

bool Observer::observed() const {
  const float *low = min_val_.data(), *high = max_val_.data();
  for (std::int64_t c = 0; c < min_val_.numel(); ++c) {
    if (!(low[c] <= high[c])) return false;
  }
  return true;
}

ValueRange Observer::quantized_range(std::int64_t channel) const {
  return {min_val_.data()[channel], max_val_.data()[channel]};
}

std::vector<std::pair<std::string, Tensor>> Observer::buffers() const {
  return {{"min_val", min_val_}, {"max_val", max_val_}};
}

void MinMaxObserver::update(float min, float max, bool, float& min_val, float& max_val) const {
  min_val = std::min(min_val, min);
  max_val = std::max(max_val, max);
}

MovingAverageMinMaxObserver::MovingAverageMinMaxObserver(std::int64_t channels,
                                                         float averaging_constant)
    : Observer(channels), averaging_constant_(averaging_constant) {
  OCTET_CHECK(averaging_constant > 0.0f && averaging_constant <= 1.0f,
              "averaging_constant lies in (0, 1], got ", averaging_constant);
}

void MovingAverageMinMaxObserver::update(float min, float max, bool first, float& min_val,
                                         float& max_val) const {
  min_val = first ? min : min_val + averaging_constant_ * (min - min_val);
  max_val = first ? max : max_val + averaging_constant_ * (max - max_val);
}

std::unique_ptr<Observer> make_observer(const TensorQConfig& config, std::int64_t channels) {
  switch (config.observer) {
    case ObserverKind::kMovingAverage:
      return std::make_unique<MovingAverageMinMaxObserver>(channels, config.averaging_constant);
    case ObserverKind::kHistogram:
      OCTET_CHECK(channels == 0, "a histogram observer watches a tensor as a whole; use min_max ",
                  "for one scale per channel");
      return std::make_unique<HistogramObserver>(1 << config.bits);
    case ObserverKind::kMinMax:
      break;
  }
  return std::make_unique<MinMaxObserver>(channels);
}

}  // namespace octet
