#pragma once

#include <cstdint>
#include <span>

namespace octet {

// Whether no Huffman table of a JPEG can overrun the decoder's: stb_image before 2.28 (Debian 12
// has 2.27) writes beyond the end of a table that announces more than 256 codes. True for
// everything that is not a JPEG. Certain, not exact: whatever could be taken for a table is
// checked; in files that a camera or a program has written nothing else is.
bool jpeg_tables_fit(std::span<const std::uint8_t> bytes);

}  // namespace octet
