#include "datasets/exif.h"

#include <cstddef>
#include <iterator>
#include <string_view>

namespace octet {
namespace {

constexpr std::size_t kEntryBytes = 12;
constexpr std::uint64_t kOrientation = 0x0112;

int valid(std::uint64_t orientation) {
  return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 0;
}

// Unsigned numbers in the byte order of the file.
class Reader {
 public:
  Reader(std::span<const std::uint8_t> bytes, bool big_endian)
      : bytes_(bytes), big_endian_(big_endian) {}

  bool has(std::uint64_t at, std::size_t count) const {
    return at <= bytes_.size() && bytes_.size() - at >= count;
  }
  std::uint64_t read(std::uint64_t at, std::size_t count) const {  // has(at, count)
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) {
      value = value << 8 | bytes_[at + (big_endian_ ? i : count - 1 - i)];
    }
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool big_endian_;
};

// Of one directory entry: tag, type, count, value or where the values lie. 0 if it is no
// orientation. The standard asks for one SHORT; like Pillow this takes the first of any numbers.
int entry_orientation(const Reader& r, std::uint64_t at) {
  constexpr std::size_t kBytes[] = {0, 0, 0, 2, 4, 0, 1, 0, 2, 4};  // by type; 0: not taken
  const std::uint64_t type = r.read(at + 2, 2), count = r.read(at + 4, 4);
  const std::size_t bytes = type < std::size(kBytes) ? kBytes[type] : 0;
  if (r.read(at, 2) != kOrientation || bytes == 0 || count == 0) return 0;
  const std::uint64_t value = count * bytes <= 4 ? at + 8 : r.read(at + 8, 4);
  return r.has(value, bytes) ? valid(r.read(value, bytes)) : 0;
}

}  // namespace

int exif_orientation(std::span<const std::uint8_t> tiff) {
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 0;
  const Reader r(tiff, tiff[0] == 'M');
  if (r.read(2, 2) != 42) return 0;
  const std::uint64_t directory = r.read(4, 4);
  if (!r.has(directory, 2)) return 0;
  const std::uint64_t entries = r.read(directory, 2);
  for (std::uint64_t i = 0; i < entries; ++i) {
    const std::uint64_t at = directory + 2 + i * kEntryBytes;
    if (!r.has(at, kEntryBytes)) return 0;
    if (const int orientation = entry_orientation(r, at)) return orientation;
  }
  return 0;
}

int xmp_orientation(std::span<const std::uint8_t> xmp) {
  const std::string_view text(reinterpret_cast<const char*>(xmp.data()), xmp.size());
  constexpr std::string_view kName = "tiff:Orientation";
  for (std::size_t at = text.find(kName); at != std::string_view::npos; at = text.find(kName, at)) {
    at += kName.size();
    std::string_view rest = text.substr(at);
    for (const std::string_view before : {"=\"", "='", ">"}) {
      if (rest.substr(0, before.size()) != before) continue;
      rest.remove_prefix(before.size());
      return rest.empty() || rest[0] < '0' || rest[0] > '9'
                 ? 0
                 : valid(static_cast<std::uint64_t>(rest[0] - '0'));
    }
  }
  return 0;
}

}  // namespace octet
