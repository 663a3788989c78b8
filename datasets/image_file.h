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

// No image file that is read is larger.
inline constexpr std::uint64_t kMaxImageFileBytes = std::uint64_t{256} << 20;

// Decodes a PNG or JPEG to the pixels that a viewer shows: turned upright as its EXIF orientation
// says (or XMP's, without that), CMYK converted. Of 16 bits the upper 8 are kept; transparency is
// dropped, so what lies under it shows; colour profiles and gamma are not applied.
//   channels: 1 (grey) or 3 (RGB) converts to that, 0 keeps which of the two the image is
// Throws Error that names `source` and the reason: another format, by its name; what the decoder
// does not have (12 bits, arithmetic coding, ...); a wrong checksum in a PNG, a cut-off end; more
// than 16,384 pixels on a side, 64 M in all, or than its bytes can hold; more than 128 MiB of
// memory to decode it, a JPEG's 64 bytes for each of its own if that is more. The header decides.
Image decode_image(std::span<const std::byte> bytes, int channels, const std::string& source);

// The image with another height and width, by a triangle filter: bilinear when it grows, an average
// over the source pixels when it shrinks. The aspect ratio is not kept.
Image resize(const Image& image, std::int64_t height, std::int64_t width);

}  // namespace octet
