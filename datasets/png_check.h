#pragma once

#include <cstdint>
#include <span>

namespace octet {

// Whether all chunks of a PNG lie inside the file: stb_image takes as much memory as a chunk says
// it has bytes, up to 1 GiB, before it reads them. True for everything that is not a PNG.
bool png_chunks_fit(std::span<const std::uint8_t> bytes);

}  // namespace octet
