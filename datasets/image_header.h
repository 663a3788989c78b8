#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace octet {

// What the bytes of an image say of it before anything is decoded.
struct ImageHeader {
  // Why it cannot be read, without the file's name; empty if it can. The rest holds only then.
  std::string refusal;
  std::int64_t width = 0, height = 0;  // as stored
  int orientation = 1;                 // EXIF: 1 to 8
  std::int64_t decoder_bytes = 0;      // of memory that stb_image will take, about
  std::int64_t most_pixels = 0;        // that so many bytes can hold
  // A JPEG whose colours stb_image would take for others: it must be told so by an Adobe marker of
  // this transform (0 none, 1 YCbCr, 2 YCCK); -1 if it is right by itself.
  int adobe_transform = -1;
};

// Reads the headers of a PNG or JPEG and checks what stb_image does not: all checksums of a PNG,
// the end of a JPEG, and everything that it would decode to other pixels. Any other format is
// refused by name. Takes any bytes, and no memory.
ImageHeader read_image_header(std::span<const std::uint8_t> bytes);

}  // namespace octet
