#pragma once

#include "quant/observer.h"

namespace octet {

// Counts the values of a whole tensor in bins between the smallest and the largest value ever seen,
// and gives the range within which quantization makes the smallest squared error, so that a few
// outliers do not take the codes of all others (PyTorch's HistogramObserver). When the range grows,
// what was counted is spread over the new bins. Its state has a third tensor, `histogram`.
class HistogramObserver final : public MinMaxObserver {
 public:
  static constexpr int kBins = 2048;

  // codes: how many the tensor has later, 2^bits.
  explicit HistogramObserver(int codes);

  void observe(const Tensor& x) override;
  // min_val and max_val are of all values; here is what search_range leaves of them.
  ValueRange quantized_range(std::int64_t channel) const override;
  std::vector<std::pair<std::string, Tensor>> buffers() const override;

 private:
  int codes_;
  Tensor histogram_;  // [kBins] float32: counts, and fractions of them after the range has grown
};

}  // namespace octet
