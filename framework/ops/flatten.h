#pragma once

#include "tensor/tensor.h"

namespace octet {

// [N, ...] -> [N, features], differentiable; shares the data, qparams pass on.
Tensor flatten(const Tensor& x);

}  // namespace octet
