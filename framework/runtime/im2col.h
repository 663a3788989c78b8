#pragma once

#include <cstdint>

namespace octet {

// The geometry of a convolution over one image [h, w, c].
struct ConvShape {
  std::int64_t h = 0, w = 0, c = 0;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride = 1, padding = 0;
  std::int64_t out_h = 0, out_w = 0;
};

// Writes the patches of the output pixels [begin, end), counted row by row, one after the other to
// `out`: [end - begin, kernel_h, kernel_w, channels], where channels [first, first + channels) are
// taken and pixels outside the image have code `zero_point`, which is real 0.
void im2col(const ConvShape& shape, const std::uint8_t* image, std::int64_t begin, std::int64_t end,
            std::int64_t first, std::int64_t channels, std::uint8_t zero_point,
            std::uint8_t* out) noexcept;

}  // namespace octet
