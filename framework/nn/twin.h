#pragma once

#include "nn/integer_form.h"
#include "ops/conv2d.h"
#include "tensor/tensor.h"

// The arithmetic of the twin: codes as float32 tensors, computed with the float operations of
// training and nothing of the integer kernels, so that comparing the two proves something.
namespace octet {

// Output of a convolution on codes. The sums run through the float convolution in blocks of at
// most 512 products: 512 * 255 * 128 < 2^24, so every partial sum is an exact float, in any order.
//   x: [N, H, W, I] codes with qparams      returns [N, OH, OW, O] codes with qparams
Tensor conv2d_codes(const Tensor& x, const IntegerForm& form, Conv2dOptions options);

// The same for a linear layer.  x: [N, I] codes      returns [N, O] codes, or
// int32 logits with qparams
Tensor linear_codes(const Tensor& x, IntegerForm form);
Tensor linear_logits(const Tensor& x, IntegerForm form);

}  // namespace octet
