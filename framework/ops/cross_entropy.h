#pragma once

#include "tensor/tensor.h"

namespace octet {

// Mean over the batch of the softmax cross-entropy, with label smoothing e: the target is 1 - e +
// e/C for the label and e/C for the others (Szegedy et al. 2016, arXiv:1512.00567, sec. 7;
// PyTorch's definition).
//   logits: [N, C] float32      labels: [N] int32, each in [0, C)      returns a scalar, shape [1]
// Own exp and log (base/fast_math.h), so that the bits do not depend on the C library.
// Throws Error on a shape that does not fit or a label out of range.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, float label_smoothing = 0.0f);

}  // namespace octet
