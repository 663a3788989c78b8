#pragma once

#include "kernels/qspec.h"
#include "tensor/tensor.h"

namespace octet {

// The activation at the end of a layer.
enum class Act { kNone, kRelu, kRelu6 };

// act(x), elementwise, on real numbers.
Tensor activate(const Tensor& x, Act act);

// The codes a layer with this activation may give: the clamp *is* the activation.
//   [0 or the code of 0, quant_max or the code of 6]
QRange clamp_range(Act act, QParams output, QRange codes);

}  // namespace octet
