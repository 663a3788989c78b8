#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/image_header.h"

namespace octet {

// read_image_header of a JPEG (ITU-T T.81), which begins with its start marker.
ImageHeader read_jpeg_header(std::span<const std::uint8_t> bytes);

// The same JPEG with one marker for its colours, Adobe's with this transform, so that stb_image
// takes them as libjpeg does: ImageHeader::adobe_transform.
std::vector<std::uint8_t> with_adobe_marker(std::span<const std::uint8_t> bytes, int transform);

}  // namespace octet
