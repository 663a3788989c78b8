#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace octet {

// Joins tensors along the last axis (the channels). All other dimensions are equal; at least one
// input.
Tensor concat(const std::vector<Tensor>& inputs);

}  // namespace octet
