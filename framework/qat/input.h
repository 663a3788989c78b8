#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace octet::qat {

// How pixels become the input codes of a model (data/normalize.h gives both for a dataset).
struct InputEncoding {
  QParams qparams;
  std::vector<std::uint8_t> table;  // [256 * C]: code of pixel p in channel c at p * C + c
};

// The twin's input: float32 codes with qparams.
//   pixels: N * H * W * C      shape: [N, H, W, C]
// Throws Error if the sizes do not fit.
Tensor input_codes(std::span<const std::uint8_t> pixels, Shape shape,
                   const InputEncoding& encoding);

// The same from the real numbers that training sees, which lie on the input grid.
//   images: [N, H, W, C] float32
Tensor input_codes(const Tensor& images, QParams qparams);

}  // namespace octet::qat
