#include "train/divergence.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "nn/trace.h"
#include "qat/schedule.h"

namespace octet {
namespace {

// "the output of conv2", or empty if everything that can be looked at is finite.
std::string first_not_finite(Module& model, const Tensor& images) {
  for (const NamedTensor& p : model.named_parameters()) {
    if (!all_finite(p.tensor)) return message("the parameter ", p.name);
  }
  if (!all_finite(images)) return "the input images";
  // A plain float pass: observers would refuse the very numbers that are looked for.
  qat::enable_observers(model, false);
  qat::enable_fake_quant(model, false);
  for (const TraceRecord& record : trace(model, images).records) {
    if (!all_finite(record.result)) return message("the output of ", record.name);
  }
  for (const NamedTensor& p : model.named_parameters()) {
    const Tensor grad = p.tensor.grad();
    if (grad.defined() && !all_finite(grad)) return message("the gradient of ", p.name);
  }
  return {};
}

}  // namespace

bool all_finite(const Tensor& tensor) {
  if (!tensor.defined() || tensor.dtype() != DType::kF32) return true;
  const float* x = tensor.data();
  return std::all_of(x, x + tensor.numel(), [](float v) { return std::isfinite(v); });
}

std::string explain_divergence(Module& model, const Tensor& images, const std::string& phase,
                               std::int64_t epoch, std::int64_t step, double lr) {
  const std::string what = first_not_finite(model, images);
  return message("training diverged in phase ", phase, ", epoch ", epoch + 1, ", step ", step,
                 " (learning rate ", lr, "): ", what.empty() ? "the loss" : what,
                 " is not finite. Try a lower ", phase == "qat" ? "quantize.lr" : "train.lr",
                 ", or train.clip_grad_norm: 1. The last checkpoint is from before this step.");
}

}  // namespace octet
