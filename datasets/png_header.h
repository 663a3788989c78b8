#pragma once

#include <cstdint>
#include <span>

#include "datasets/image_header.h"

namespace octet {

// read_image_header of a PNG (W3C, third edition), which begins with its signature. All chunks lie
// inside the file, as stb_image takes as much memory as a chunk says it has bytes before it reads
// them, and all checksums are right.
ImageHeader read_png_header(std::span<const std::uint8_t> bytes);

}  // namespace octet
