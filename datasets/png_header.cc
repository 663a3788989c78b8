#include "datasets/png_header.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "datasets/exif.h"

namespace octet {
namespace {

using namespace std::string_view_literals;
using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kSignature = 8, kLengthAndType = 8, kChecksum = 4, kHeaderBytes = 13;
constexpr int kPalette = 3;

std::uint32_t read32(Bytes bytes, std::size_t at) {
  return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
         std::uint32_t{bytes[at + 2]} << 8 | std::uint32_t{bytes[at + 3]};
}

std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The first chunk: width, height, bit depth, colour type, compression, filter, interlace.
std::string read_first_chunk(Bytes ihdr, std::size_t file_bytes, ImageHeader& header) {
  constexpr std::int64_t kChannels[] = {1, 0, 3, 1, 2, 0, 4};  // by colour type
  header.width = read32(ihdr, 0);
  header.height = read32(ihdr, 4);
  const int depth = ihdr[8], type = ihdr[9];
  const std::int64_t channels = type <= 6 ? kChannels[type] : 0;
  const bool allowed =
      depth == 8 || (depth == 16 && type != kPalette) ||
      ((depth == 1 || depth == 2 || depth == 4) && (type == 0 || type == kPalette));
  if (channels == 0 || !allowed || header.width == 0 || header.height == 0) {
    return message("the image is damaged: a PNG of ", header.width, " x ", header.height,
                   " pixels, bit depth ", depth, " and colour type ", type);
  }
  // Deflate makes at most 1032 bytes of one.
  header.most_pixels = 1032 * 8 * static_cast<std::int64_t>(file_bytes) / (depth * channels);
  if (header.width > 1 << 20 || header.height > 1 << 20) return "";  // refused for its size
  // stb_image has the filtered rows and the pixels, and then either the pass of an interlaced
  // image or the palette's colours.
  const std::int64_t pixels = header.width * header.height,
                     rows = header.height * (1 + (header.width * depth * channels + 7) / 8),
                     decoded = pixels * channels * (depth == 16 ? 2 : 1);
  header.decoder_bytes =
      rows + decoded + (ihdr[12] != 0 ? decoded / 2 : 0) + (type == kPalette ? 3 * pixels : 0);
  return "";
}

// An uncompressed iTXt chunk of Adobe's XMP: keyword, flags, language, translated keyword, text.
int orientation_of_text(Bytes itxt) {
  constexpr std::string_view kXmp = "XML:com.adobe.xmp\0\0"sv;
  return as_text(itxt).substr(0, kXmp.size()) == kXmp ? xmp_orientation(itxt) : 0;
}

}  // namespace

ImageHeader read_png_header(Bytes bytes) {
  ImageHeader header;
  const auto refuse = [&](const auto&... what) {
    header.refusal = message(what...);
    return header;
  };
  int exif = 0, xmp = 0;
  bool first = true, has_pixels = false;
  for (std::size_t at = kSignature;;) {
    if (bytes.size() - at < kLengthAndType) {
      return refuse("the image is damaged: it is cut off, the end of this PNG is missing");
    }
    const std::size_t length = read32(bytes, at);
    const Bytes type_bytes = bytes.subspan(at + 4, 4);
    const std::string_view type = as_text(type_bytes);
    if (bytes.size() - at - kLengthAndType < length + kChecksum) {
      return refuse("the image is damaged: it ends within a chunk");
    }
    const Bytes data = bytes.subspan(at + kLengthAndType, length);
    if (first && type == "CgBI") {
      return refuse("this is a PNG in the form of iPhone apps (CgBI), which is not read; undo it ",
                    "with: pngcrush -revert-iphone-optimizations");
    }
    const auto checksum = crc32_z(0, type_bytes.data(), 4 + length);
    if (checksum != read32(bytes, at + kLengthAndType + length)) {
      return refuse("the image is damaged: the checksum of its chunk at byte ", at, " is wrong");
    }
    if (first != (type == "IHDR") || (first && length != kHeaderBytes)) {
      return refuse("the image is damaged: a PNG begins with one IHDR chunk of ", kHeaderBytes,
                    " bytes");
    }
    if (first) {
      header.refusal = read_first_chunk(data, bytes.size(), header);
      if (!header.refusal.empty()) return header;
    } else if (type == "IDAT") {
      has_pixels = true;
    } else if (type == "eXIf" && exif == 0) {
      exif = exif_orientation(data);
    } else if (type == "iTXt" && xmp == 0) {
      xmp = orientation_of_text(data);
    } else if (type == "IEND") {
      break;  // what follows is not read
    }
    first = false;
    at += kLengthAndType + length + kChecksum;
  }
  if (!has_pixels) return refuse("the image is damaged: this PNG holds no picture");
  header.orientation = std::max(1, exif != 0 ? exif : xmp);
  return header;
}

}  // namespace octet
