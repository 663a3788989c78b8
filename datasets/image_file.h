#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"

namespace octet {

struct Image {
  Shape shape;  // [H, W, C]
  std::vector<std::uint8_t> pixels;
};

// Decodes a PNG or JPEG; nothing else is compiled in, and no SIMD, so that the pixels are the same
// on every machine. `channels`: 1 (grey) or 3 (RGB) converts to that, 0 keeps which of the two the
// image is; transparency is dropped. Throws Error that names `source` if it is not such an image,
// has more than 16,384 pixels on a side, 64 M in all or more than its bytes can hold (checked
// before anything is decoded).
Image decode_image(std::span<const std::byte> bytes, int channels, const std::string& source);

// The image with another height and width, by a triangle filter: bilinear when it grows, an average
// over the source pixels when it shrinks. The aspect ratio is not kept.
Image resize(const Image& image, std::int64_t height, std::int64_t width);

}  // namespace octet
