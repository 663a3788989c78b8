#pragma once

#include <cstdint>
#include <span>

namespace octet {

// How a picture was stored (EXIF 2.32, tag 0x0112): 1 is upright, 2 to 8 are its mirror images and
// quarter turns. Both functions read hostile bytes: whatever is damaged, cut off or out of range is
// passed over, and 0 says that nothing was found.

// Of EXIF data: a TIFF header, little- or big-endian, and the first directory behind it.
int exif_orientation(std::span<const std::uint8_t> tiff);

// Of an XMP packet: its first tiff:Orientation, as an attribute or as an element.
int xmp_orientation(std::span<const std::uint8_t> xmp);

}  // namespace octet
