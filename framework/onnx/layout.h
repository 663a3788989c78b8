#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/shape.h"

// ONNX keeps channels first, Octet last. Images: [N, C, H, W] against [N, H, W, C]. Weights of a
// convolution: [O, I, KH, KW] against [O, KH, KW, I]. Columns of a linear layer behind a flatten:
// c H W + h W + w against (h W + w) C + c. All three are one permutation, applied to each row.
namespace octet {

// Each of the rows [pixels, channels] transposed to [channels, pixels]; x: rows * pixels *
// channels elements.
template <class T>
std::vector<T> channels_first(std::span<const T> x, std::int64_t rows, std::int64_t pixels,
                              std::int64_t channels) {
  std::vector<T> y(x.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t p = 0; p < pixels; ++p) {
        y[static_cast<std::size_t>((r * channels + c) * pixels + p)] =
            x[static_cast<std::size_t>((r * pixels + p) * channels + c)];
      }
    }
  }
  return y;
}

// The inverse: [channels, pixels] to [pixels, channels].
template <class T>
std::vector<T> channels_last(std::span<const T> x, std::int64_t rows, std::int64_t pixels,
                             std::int64_t channels) {
  return channels_first(x, rows, channels, pixels);
}

// [O, KH, KW, I] -> [O, I, KH, KW]: the shape, and the elements.
// not fuzzed: for the export
inline Shape channels_first_shape(const Shape& s) { return {s[0], s[3], s[1], s[2]}; }
// not fuzzed: for the export
template <class T>
std::vector<T> channels_first(std::span<const T> weight, const Shape& s) {
  return channels_first(weight, s[0], s[1] * s[2], s[3]);
}

}  // namespace octet
