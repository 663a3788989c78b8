#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace octet {

struct DecodedPixels {
  std::unique_ptr<std::uint8_t, void (*)(void*)> pixels;  // [height, width, channels]
  int width = 0, height = 0;
  int channels = 0;            // 1 (grey) or 3 (RGB)
  bool out_of_memory = false;  // null pixels, because it would have taken more than it may
};

// Decodes a PNG or JPEG by stb_image; nothing else is compiled in, and no SIMD, so that the pixels
// are the same on every machine.
//   channels: 1 or 3 converts to that; 0 keeps which of the two the image is
//   most_bytes: of memory that this may take at one time
// Null pixels if it is damaged. The bytes must have passed jpeg_tables_fit and read_image_header.
DecodedPixels stb_decode(std::span<const std::uint8_t> bytes, int channels, std::size_t most_bytes);

}  // namespace octet
