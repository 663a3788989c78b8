#include "optim/weight_ema.h"

#include <algorithm>
#include <utility>

#include "base/float_environment.h"
#include "ops/elementwise.h"

namespace octet {

WeightEma::WeightEma(std::vector<NamedTensor> tensors, float decay)
    : tensors_(std::move(tensors)), decay_(decay) {
  if (!(decay >= 0.0f && decay < 1.0f)) {
    throw UsageError(message("ema_decay must be in [0, 1), got ", decay));
  }
  for (const NamedTensor& t : tensors_) {
    OCTET_CHECK(t.tensor.dtype() == DType::kF32, "[ema] ", t.name, " must be F32, not ",
                name_of(t.tensor.dtype()));
    averages_.push_back(t.tensor.clone());
  }
}

void WeightEma::update() {
  const FloatEnvironment environment;
  OCTET_CHECK(!swapped_in_, "[ema] update while the averages are in the model: swap_out first");
  const float rate = 1.0f - decay_;
  for (std::size_t k = 0; k < tensors_.size(); ++k) {
    const float* w = tensors_[k].tensor.data();
    float* average = averages_[k].mutable_data();
    for_each_element(averages_[k].numel(),
                     [=](std::int64_t i) { average[i] += rate * (w[i] - average[i]); });
  }
}

void WeightEma::swap() {
  for (std::size_t k = 0; k < tensors_.size(); ++k) {
    float* w = tensors_[k].tensor.mutable_data();
    std::swap_ranges(w, w + averages_[k].numel(), averages_[k].mutable_data());
  }
  swapped_in_ = !swapped_in_;
}

void WeightEma::swap_in() {
  OCTET_CHECK(!swapped_in_, "[ema] the averages are already in the model");
  swap();
}

void WeightEma::swap_out() {
  OCTET_CHECK(swapped_in_, "[ema] the averages are not in the model");
  swap();
}

std::vector<NamedTensor> WeightEma::state() const {
  std::vector<NamedTensor> state;
  for (std::size_t k = 0; k < tensors_.size(); ++k) {
    state.push_back({"ema." + tensors_[k].name, averages_[k]});
  }
  return state;
}

}  // namespace octet
