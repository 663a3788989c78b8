#pragma once

#include "kernels/f32/conv2d.h"

// The gradients of a convolution with a max-pool behind it, from the pool's winners alone
// (winners.h): a quarter of the products at most, with the chains and the bits of conv2d.h. What is
// left out is adding zero; only with infinities in x or the weight would that have been NaN. For
// maps of few channels, whose kernel rows are one stretch of memory (Lines).
namespace octet::kernels {

bool takes_winners(const Conv2dShape& s, OutputGradient gradient);

std::size_t winners_data_gradient_scratch_floats(const Conv2dShape& s);
void winners_data_gradient(const F32Kernels& kernels, const Conv2dShape& s, OutputGradient gradient,
                           const float* weight, float* dx, float* scratch);

// With db also the bias' gradient.
std::size_t winners_weight_gradient_scratch_floats(const Conv2dShape& s);
void winners_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                             OutputGradient gradient, float* dw, float* scratch, float* db);

}  // namespace octet::kernels
