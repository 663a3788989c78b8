#include "datasets/jpeg_check.h"

#include <cstddef>
#include <cstring>

namespace octet {
namespace {

// Markers (ITU-T T.81, table B.1) are 0xff and one of these.
constexpr std::uint8_t kStart = 0xd8, kHuffmanTables = 0xc4, kApp0 = 0xe0, kApp15 = 0xef,
                       kComment = 0xfe;

// The decoder reads zeros behind the end.
int at(std::span<const std::uint8_t> bytes, std::size_t i) {
  return i < bytes.size() ? bytes[i] : 0;
}

// Where the tables begin: behind the application data and comments at the start, which hold
// arbitrary bytes. They are followed exactly as the decoder does.
std::size_t end_of_metadata(std::span<const std::uint8_t> bytes) {
  std::size_t i = 2;
  while (at(bytes, i) == 0xff) {
    const int marker = at(bytes, i + 1), length = at(bytes, i + 2) << 8 | at(bytes, i + 3);
    if (!((marker >= kApp0 && marker <= kApp15) || marker == kComment) || length < 2) break;
    i += 2 + static_cast<std::size_t>(length);
  }
  return i;
}

// The tables of one segment, whose length field is at `i`: class and index, the number of codes of
// each of 16 lengths, the codes (T.81, B.2.4.2).
bool segment_fits(std::span<const std::uint8_t> bytes, std::size_t i) {
  int left = (at(bytes, i) << 8 | at(bytes, i + 1)) - 2;
  i += 2;
  while (left > 0 && i < bytes.size()) {
    int codes = 0;
    for (std::size_t k = 1; k <= 16; ++k) codes += at(bytes, i + k);
    if (at(bytes, i) >> 4 > 1 || (at(bytes, i) & 15) > 3) return true;  // the decoder refuses it
    if (codes > 256) return false;
    left -= 17 + codes;
    i += 17 + static_cast<std::size_t>(codes);
  }
  return true;
}

}  // namespace

bool jpeg_tables_fit(std::span<const std::uint8_t> bytes) {
  if (at(bytes, 0) != 0xff) return true;
  // From here on every 0xff 0xc4 counts, wherever it stands: in compressed data 0xff is always
  // followed by 0 or another marker.
  for (std::size_t i = at(bytes, 1) == kStart ? end_of_metadata(bytes) : 0; i + 1 < bytes.size();
       ++i) {
    const void* found = std::memchr(bytes.data() + i, 0xff, bytes.size() - 1 - i);
    if (found == nullptr) return true;
    i = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes.data());
    if (bytes[i + 1] == kHuffmanTables && !segment_fits(bytes, i + 2)) return false;
  }
  return true;
}

}  // namespace octet
