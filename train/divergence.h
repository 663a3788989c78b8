#pragma once

#include <cstdint>
#include <string>

#include "nn/module.h"

namespace octet {

// The message for a training step whose loss or gradient is not finite: names the first layer whose
// parameters, output or gradient are not, and what to try. The run ends with it, so the model's
// mode is not restored.
//   images: the batch of that step
std::string explain_divergence(Module& model, const Tensor& images, const std::string& phase,
                               std::int64_t epoch, std::int64_t step, double lr);

// Whether all elements of a float32 tensor are finite; true for other types.
bool all_finite(const Tensor& tensor);

}  // namespace octet
