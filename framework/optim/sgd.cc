#include "optim/sgd.h"

#include <utility>

#include "base/float_environment.h"
#include "ops/elementwise.h"

namespace octet {

bool is_layer_weight(const NamedTensor& parameter) { return parameter.tensor.rank() >= 2; }

Sgd::Sgd(std::vector<NamedTensor> parameters, SgdOptions options) : options_(std::move(options)) {
  if (!(options_.momentum >= 0.0f && options_.momentum < 1.0f)) {
    throw UsageError(message("momentum must be in [0, 1), got ", options_.momentum));
  }
  if (!(options_.weight_decay >= 0.0f)) {
    throw UsageError(message("weight_decay must not be negative, got ", options_.weight_decay));
  }
  if (options_.nesterov && options_.momentum == 0.0f) {
    throw UsageError("nesterov needs a momentum above 0");
  }
  for (NamedTensor& parameter : parameters) {
    OCTET_CHECK(parameter.tensor.dtype() == DType::kF32, "[sgd] ", parameter.name,
                " must be F32, not ", name_of(parameter.tensor.dtype()));
    Slot slot;
    if (options_.momentum > 0.0f) slot.momentum = Tensor::zeros(parameter.tensor.shape());
    const bool decays = !options_.decays || options_.decays(parameter);
    slot.weight_decay = decays ? options_.weight_decay : 0.0f;
    slot.parameter = std::move(parameter);
    slots_.push_back(std::move(slot));
  }
}

void Sgd::step(float lr, float grad_scale) {
  const FloatEnvironment environment;
  const float mu = options_.momentum;
  const bool nesterov = options_.nesterov;
  for (Slot& slot : slots_) {
    const Tensor gradient = slot.parameter.tensor.grad();
    if (!gradient.defined()) continue;
    const float decay = slot.weight_decay;
    const float* g = gradient.data();
    float* w = slot.parameter.tensor.mutable_data();
    const std::int64_t count = gradient.numel();
    if (!slot.momentum.defined()) {
      for_each_element(count,
                       [=](std::int64_t i) { w[i] -= lr * (grad_scale * g[i] + decay * w[i]); });
      continue;
    }
    float* m = slot.momentum.mutable_data();
    if (nesterov) {
      for_each_element(count, [=](std::int64_t i) {
        const float step = grad_scale * g[i] + decay * w[i];
        m[i] = mu * m[i] + step;
        w[i] -= lr * (step + mu * m[i]);
      });
    } else {
      for_each_element(count, [=](std::int64_t i) {
        m[i] = mu * m[i] + (grad_scale * g[i] + decay * w[i]);
        w[i] -= lr * m[i];
      });
    }
  }
}

void Sgd::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.tensor.set_grad(Tensor());
}

std::vector<NamedTensor> Sgd::state() const {
  std::vector<NamedTensor> state;
  for (const Slot& slot : slots_) {
    if (!slot.momentum.defined()) continue;
    state.push_back({"optimizer." + slot.parameter.name + ".momentum", slot.momentum});
  }
  return state;
}

}  // namespace octet
