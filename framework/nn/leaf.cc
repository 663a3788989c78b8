#include "nn/leaf.h"

#include <algorithm>

#include "base/float_environment.h"
#include "base/rng.h"
#include "nn/trace.h"
#include "ops/autocast.h"

namespace octet {

void Initializer::uniform(Tensor parameter, float bound) {
  const FloatEnvironment environment;
  Rng rng(seed_, RngPurpose::kInit, 0, next_++);
  float* x = parameter.mutable_data();
  for (std::int64_t i = 0; i < parameter.numel(); ++i) x[i] = rng.uniform(-bound, bound);
}

void Initializer::normal(Tensor parameter, float stddev) {
  const FloatEnvironment environment;
  Rng rng(seed_, RngPurpose::kInit, 0, next_++);
  float* x = parameter.mutable_data();
  for (std::int64_t i = 0; i < parameter.numel(); ++i) x[i] = stddev * rng.normal();
}

void Initializer::constant(Tensor parameter, float value) {
  ++next_;
  std::fill_n(parameter.mutable_data(), parameter.numel(), value);
}

void initialize(Module& model, std::uint64_t seed) {
  const FloatEnvironment environment;
  Initializer init(seed);
  for (const auto& [name, leaf] : named_leaves(model)) leaf->reset_parameters(init);
}

std::vector<std::pair<std::string, Leaf*>> named_leaves(Module& model) {
  std::vector<std::pair<std::string, Leaf*>> leaves;
  for (const auto& [name, module] : model.named_modules()) {
    if (auto* leaf = dynamic_cast<Leaf*>(module)) leaves.emplace_back(name, leaf);
  }
  return leaves;
}

Tensor Leaf::call(Inputs x) {
  trace_inputs(*this, x);
  Tensor y;
  try {
    y = compute(x);
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw Error(message("[", full_name(), "] ", error.what()));
  }
  trace_call(*this, x, y);
  return y;
}

Tensor Leaf::compute(Inputs x) {
  if (prepared_ && autocast_precision() != Precision::kFp32) {
    throw Error("is prepared: it imitates integers in float32, not under an AutocastGuard");
  }
  const bool passes_on = prepared_ && fake_quantizers_.empty();  // max-pool: codes or real numbers
  const bool codes = !passes_on && computes_codes();
  for (const Tensor& t : x) {
    if (passes_on || t.qparams().has_value() == codes) continue;
    throw Error(codes ? "computes on codes, being prepared and in evaluation mode, but its input "
                        "has no quantization parameters; give the model input codes (qat/input.h)"
                      : "computes on real numbers (it is not prepared, or in training mode, or its "
                        "fake quantization is off), but its input is codes");
  }
  return codes ? forward_codes(x) : forward(x);
}

bool Leaf::computes_codes() const {
  return prepared_ && !is_training() &&
         std::all_of(fake_quantizers_.begin(), fake_quantizers_.end(),
                     [](const auto& f) { return f->fake_quant_enabled(); });
}

Tensor Leaf::forward_codes(Inputs) const { throw Error("has no integer form"); }

void Leaf::set_qconfig(const QConfig& qconfig) {
  OCTET_CHECK(!prepared_, "[", full_name(), "] was prepared before");
  prepare(qconfig);
  prepared_ = true;
}

FloatForm Leaf::float_form() const {
  OCTET_CHECK(!prepared_, "[", full_name(),
              "] is prepared for quantization; float inference takes the float model");
  return folded();
}

FloatForm Leaf::folded() const {
  throw Error(message("[", full_name(),
                      "] has no form for float inference; give its leaf one (nn/float_form.h)"));
}

void Leaf::make_logits() {
  throw Error(message("[", full_name(),
                      "] makes the model's output, and only a linear layer has logits; end the "
                      "model with a Linear"));
}

std::vector<FakeQuantize*> Leaf::fake_quantizers() const {
  std::vector<FakeQuantize*> all;
  for (const auto& f : fake_quantizers_) all.push_back(f.get());
  return all;
}

FakeQuantize& Leaf::add_fake_quantize(const std::string& name, TensorRole role,
                                      const TensorQConfig& config, std::int64_t channels) {
  fake_quantizers_.push_back(std::make_unique<FakeQuantize>(role, config, channels));
  for (const auto& [buffer, tensor] : fake_quantizers_.back()->buffers()) {
    add_buffer(name + "." + buffer, tensor);
  }
  return *fake_quantizers_.back();
}

}  // namespace octet
