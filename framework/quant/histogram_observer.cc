#include "quant/histogram_observer.h"

#include <algorithm>
#include <span>

#include "base/parallel.h"
#include "quant/histogram_search.h"

namespace octet {
namespace {

constexpr int kBins = HistogramObserver::kBins;

// Where a value of the range lies. In double: the width of a float range may not be a float.
struct Bins {
  explicit Bins(ValueRange range)
      : min(range.min),
        per_unit(range.max > range.min ? kBins / (double{range.max} - double{range.min}) : 0.0) {}

  int of(double value) const {
    return std::min(kBins - 1, static_cast<int>((value - min) * per_unit));
  }

  double min, per_unit;
};

// Each bin's values lie at the middles of 16 equal parts of it; all of one value if the old range
// has no width.
std::vector<double> spread(std::span<const float> histogram, ValueRange from, ValueRange to) {
  constexpr int kParts = 16;
  const Bins bins(to);
  const double part = (double{from.max} - double{from.min}) / (kBins * kParts);
  std::vector<double> result(kBins);
  for (int i = 0; i < kBins * kParts; ++i) {
    const double share = double{histogram[static_cast<std::size_t>(i / kParts)]} / kParts;
    result[static_cast<std::size_t>(bins.of(double{from.min} + (i + 0.5) * part))] += share;
  }
  return result;
}

// Integers: any chunking gives the same sums.
std::vector<std::int64_t> count(const Tensor& x, ValueRange range) {
  const Bins bins(range);
  const std::int64_t chunk = 1 << 18, chunks = (x.numel() + chunk - 1) / chunk;
  std::vector<std::int32_t> parts(static_cast<std::size_t>(chunks * kBins));
  const float* data = x.data();
  parallel_for(chunks, [&](std::int64_t c) {
    std::int32_t* part = parts.data() + c * kBins;
    const std::int64_t end = std::min(x.numel(), (c + 1) * chunk);
    for (std::int64_t i = c * chunk; i < end; ++i) ++part[bins.of(double{data[i]})];
  });
  std::vector<std::int64_t> counts(kBins);
  for (std::size_t i = 0; i < parts.size(); ++i) counts[i % kBins] += parts[i];
  return counts;
}

}  // namespace

HistogramObserver::HistogramObserver(int codes)
    : MinMaxObserver(0), codes_(codes), histogram_(Tensor::zeros({kBins})) {}

void HistogramObserver::observe(const Tensor& x) {
  const bool first = !observed();
  const ValueRange before{*min_val().data(), *max_val().data()};
  MinMaxObserver::observe(x);  // throws before anything has changed
  const ValueRange now{*min_val().data(), *max_val().data()};

  float* histogram = histogram_.mutable_data();
  if (!first && !(before == now)) {
    const std::vector<double> moved = spread({histogram, kBins}, before, now);
    for (std::size_t i = 0; i < kBins; ++i) histogram[i] = static_cast<float>(moved[i]);
  }
  const std::vector<std::int64_t> counts = count(x, now);
  for (std::size_t i = 0; i < kBins; ++i) histogram[i] += static_cast<float>(counts[i]);
}

ValueRange HistogramObserver::quantized_range(std::int64_t) const {
  const float min = *min_val().data(), max = *max_val().data();
  if (!(min < max)) return {min, max};
  const BinRange bins = search_range({histogram_.data(), kBins}, codes_);
  const double width = (double{max} - double{min}) / kBins;
  return {static_cast<float>(double{min} + width * bins.first),
          static_cast<float>(double{min} + width * (bins.last + 1))};
}

std::vector<std::pair<std::string, Tensor>> HistogramObserver::buffers() const {
  auto all = MinMaxObserver::buffers();
  all.emplace_back("histogram", histogram_);
  return all;
}

}  // namespace octet
