#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/dataset.h"
#include "kernels/qspec.h"

namespace octet {

// The two views of a normalization of C channels (docs/quantization.md, "Input"): training sees
// real numbers, the integer graph sees codes. Where the mean is a whole pixel value and mean and
// std are the same for all channels, the pixels themselves are the codes: scale = 1 / (255 std),
// zero_point = 255 mean. The default normalizations of all datasets are of this kind.
// All functions throw Error unless mean and std have the same length, at least 1, the means are
// finite and the stds finite and positive.

// One scale, a whole zero point: mean {0}, std {1} for MNIST-like data (scale 1/255, zero_point 0).
Normalization unit_normalization(int channels);
// mean 128/255, std 64/255, which is about what natural images have: scale 2^-6, zero_point 128.
Normalization centered_normalization(int channels);

// Quantization parameters of the network's input; they cover every normalized pixel of every
// channel.
QParams input_qparams(const Normalization& normalization);

// The code of pixel p in channel c at p * C + c; [256 * C]: quantize((p / 255 - mean_c) / std_c).
std::vector<std::uint8_t> input_table(const Normalization& normalization);

// Whether each pixel is its own code: the table can then be left out. `table`: [256 * C]
bool is_identity(std::span<const std::uint8_t> table);

// The real value of pixel p in channel c at p * C + c; [256 * C]: what training sees. With an
// identity table this is exactly dequantize_one(p, input_qparams()), otherwise
// (p / 255 - mean_c) / std_c in float32.
std::vector<float> value_table(const Normalization& normalization);

}  // namespace octet
