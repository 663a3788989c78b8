#include "datasets/png_check.h"

#include <algorithm>
#include <cstddef>

namespace octet {
namespace {

constexpr std::uint8_t kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::size_t kLengthAndType = 8, kChecksum = 4;
constexpr std::uint8_t kEnd[] = {'I', 'E', 'N', 'D'};

bool begins_with(std::span<const std::uint8_t> bytes, std::span<const std::uint8_t> text) {
  return bytes.size() >= text.size() && std::equal(text.begin(), text.end(), bytes.begin());
}

}  // namespace

bool png_chunks_fit(std::span<const std::uint8_t> bytes) {
  if (!begins_with(bytes, kSignature)) return true;
  bytes = bytes.subspan(std::size(kSignature));
  while (bytes.size() >= kLengthAndType) {
    const std::size_t length = std::size_t{bytes[0]} << 24 | std::size_t{bytes[1]} << 16 |
                               std::size_t{bytes[2]} << 8 | std::size_t{bytes[3]};
    if (begins_with(bytes.subspan(4), kEnd)) return true;  // what follows is not read
    const std::size_t chunk = kLengthAndType + length + kChecksum;
    if (chunk > bytes.size()) return false;
    bytes = bytes.subspan(chunk);
  }
  return false;  // it has no end
}

}  // namespace octet
