#pragma once

#include "tensor/tensor.h"

namespace octet {

// a + b, elementwise; both have the same shape.
Tensor add(const Tensor& a, const Tensor& b);

}  // namespace octet
