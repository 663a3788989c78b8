#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace octet {

// Whether the tensors of a checkpoint can be what training left: all numbers are finite, variances
// are not negative, scales are positive, zero points are codes, switches are 0 or 1, and an
// observer's range is empty (nothing was observed) or in order. Throws Error that starts with
// `source` and names the tensor and the element. Names and shapes are copy_weights' business.
void check_training_tensors(const std::vector<NamedTensor>& tensors, const std::string& source);

}  // namespace octet
