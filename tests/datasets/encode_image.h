#pragma once

#include <cstddef>
#include <vector>

#include "datasets/image_file.h"

namespace octet::testing {

// The image as a PNG (1 to 4 channels) or as a JPEG of quality 95 (1 or 3 channels).
std::vector<std::byte> encode_png(const Image& image);
std::vector<std::byte> encode_jpeg(const Image& image);

}  // namespace octet::testing
