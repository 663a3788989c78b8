#pragma once

#include "kernels/f32/conv2d_parts.h"

// The weight gradient of narrow register tiles (AVX2): both operands of its products are packed,
// chunk by chunk of output pixels, so that a tile reads two short stretches of memory. In the maps
// a pixel's few values are followed by hundreds of others, and the lines of a tile's pixels would
// fall onto the same sets of the caches. Wide tiles read a pixel's whole lines and do without.
namespace octet::kernels {

// Where it is used: many channels, many pixels.
bool packs_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s);

// As conv2d_weight_gradient without db, and with the same result; for shapes as above.
std::size_t packed_weight_gradient_scratch_floats(const Conv2dShape& s);
void packed_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                            OutputGradient gradient, float* dw, float* scratch);

}  // namespace octet::kernels
