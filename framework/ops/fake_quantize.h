#pragma once

#include "kernels/qspec.h"
#include "tensor/tensor.h"

namespace octet {

// dequantize(quantize(x)): rounds to the nearest representable number and clamps, in float
// (qspec.h, eqs. (1), (2)). The gradient passes straight through where the code was not clamped,
// and is 0 elsewhere (STE).
//   Bengio et al. 2013 (arXiv:1308.3432); Jacob et al. 2018 (arXiv:1712.05877), sec. 3.
//   x: any shape, float32
Tensor fake_quantize_per_tensor_affine(const Tensor& x, QParams qparams, QRange range);

// The same with one scale per output channel (axis 0) and zero point 0.
//   weight: [O, ...] float32      scale: [O] float32, positive
Tensor fake_quantize_per_channel_symmetric(const Tensor& weight, const Tensor& scale, QRange range);

}  // namespace octet
