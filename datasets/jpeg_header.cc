#include "datasets/jpeg_header.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "datasets/exif.h"

namespace octet {
namespace {

using namespace std::string_view_literals;
using Bytes = std::span<const std::uint8_t>;

// T.81, table B.1.
constexpr int kRestart0 = 0xd0, kStart = 0xd8, kEnd = 0xd9, kScan = 0xda, kHuffman = 0xc4,
              kExtension = 0xc8, kArithmetic = 0xcc, kProgressive = 0xc2, kLossless = 0xc3,
              kJpegLs = 0xf7, kApp0 = 0xe0, kApp1 = 0xe1, kApp14 = 0xee;

struct Segment {
  int marker = 0;
  std::size_t begin = 0, end = 0;  // with marker and length; of the whole file
  Bytes payload;
};

std::size_t read16(Bytes bytes, std::size_t at) {
  return std::size_t{bytes[at]} << 8 | std::size_t{bytes[at + 1]};
}

// The next segment from `at` on; compressed data before it, and markers without a length, are
// passed over. Marker 0 is the end of the file. A segment that does not fit is cut off there.
Segment next_segment(Bytes bytes, std::size_t at) {
  while (at + 1 < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xff, bytes.size() - 1 - at);
    if (found == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes.data());
    const int marker = bytes[at + 1];
    if (marker == kEnd) return {marker, at, at + 2, {}};
    if (marker <= 1 || marker == 0xff || (marker >= kRestart0 && marker <= kStart)) {
      at += marker == 0xff ? 1 : 2;
      continue;
    }
    if (at + 4 > bytes.size()) break;
    const std::size_t length = read16(bytes, at + 2), end = at + 2 + length;
    if (length < 2 || end > bytes.size()) break;
    return {marker, at, end, bytes.subspan(at + 4, length - 2)};
  }
  return {0, bytes.size(), bytes.size(), {}};
}

bool begins_with(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin(),
                    [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; });
}

bool is_frame(int marker) {
  return (marker >= 0xc0 && marker <= 0xcf && marker != kHuffman && marker != kExtension &&
          marker != kArithmetic) ||
         marker == kJpegLs;
}

// What the decoder does not have, by the kind of frame.
std::string refusal_of_frame(int marker, int precision) {
  const auto refuse = [](const auto&... what) {
    return message("this is a ", what...,
                   ", which is not read; save it as a baseline JPEG or as PNG");
  };
  if (marker == kJpegLs) return "this is a JPEG-LS image; convert it to PNG or JPEG";
  if (marker == kLossless || marker == 0xcb) return refuse("lossless JPEG");
  if (marker == 0xc9 || marker == 0xca) return refuse("JPEG with arithmetic coding");
  if (marker > kProgressive) return refuse("hierarchical JPEG");
  if (precision != 8) return refuse(precision, "-bit JPEG");
  return "";
}

// What the segments before the first scan say.
struct Facts {
  bool jfif = false;
  int adobe = -1;  // its transform; -1 without the marker
  int exif_orientation = 0, xmp_orientation = 0;
  Segment frame;  // the first
  bool has_exif = false;
};

void read_metadata(const Segment& s, Facts& facts) {
  if (s.marker == kApp0 && s.payload.size() >= 12 && begins_with(s.payload, "JFIF\0"sv)) {
    facts.jfif = true;
  } else if (s.marker == kApp14 && s.payload.size() >= 12 && begins_with(s.payload, "Adobe"sv)) {
    facts.adobe = s.payload[11];
  } else if (s.marker == kApp1 && !facts.has_exif && begins_with(s.payload, "Exif\0\0"sv)) {
    facts.has_exif = true;
    facts.exif_orientation = exif_orientation(s.payload.subspan(6));
  } else if (s.marker == kApp1 && facts.xmp_orientation == 0 &&
             begins_with(s.payload, "http://ns.adobe.com/xap/1.0/\0"sv)) {
    facts.xmp_orientation = xmp_orientation(s.payload);
  }
}

bool ids_are_rgb(Bytes frame) {
  return frame[5] == 3 && frame[6] == 'R' && frame[9] == 'G' && frame[12] == 'B';
}

// libjpeg's rules for the colours (default_decompress_parms), where stb_image has others.
int adobe_transform(const Facts& facts, Bytes frame) {
  if (frame[5] == 4) {  // CMYK, unless Adobe's marker says YCCK
    const int right = facts.adobe <= 0 ? 0 : 2;
    return facts.adobe == right ? -1 : right;
  }
  if (frame[5] != 3) return -1;
  const bool rgb = !facts.jfif && (facts.adobe == 0 || (facts.adobe < 0 && ids_are_rgb(frame)));
  const bool as_decoded = ids_are_rgb(frame) || (facts.adobe == 0 && !facts.jfif);
  if (rgb == as_decoded) return -1;
  return rgb ? 0 : 1;
}

std::string read_frame(const Facts& facts, ImageHeader& header) {
  const Bytes frame = facts.frame.payload;
  if (frame.size() < 6) return "the image is damaged: its frame header is cut off";
  std::string refusal = refusal_of_frame(facts.frame.marker, frame[0]);
  if (!refusal.empty()) return refusal;
  header.height = static_cast<std::int64_t>(read16(frame, 1));
  header.width = static_cast<std::int64_t>(read16(frame, 3));
  if (header.height == 0) {
    return "this is a JPEG whose height follows its pixels (DNL), which is not read; save it again";
  }
  const std::size_t components = frame[5];
  if (components != 1 && components != 3 && components != 4) {
    return message("this is a JPEG of ", components, " components; 1 (grey), 3 (colour) and 4 ",
                   "(CMYK) are read");
  }
  if (frame.size() < 6 + 3 * components) return "the image is damaged: its frame header is cut off";
  std::int64_t h_max = 1, v_max = 1;
  for (std::size_t i = 0; i < components; ++i) {
    const std::int64_t h = frame[7 + 3 * i] >> 4, v = frame[7 + 3 * i] & 15;
    if (h < 1 || h > 4 || v < 1 || v > 4) {
      return message("the image is damaged: sampling factors ", h, " x ", v);
    }
    h_max = std::max(h_max, h);
    v_max = std::max(v_max, v);
  }
  const std::int64_t across = (header.width + 8 * h_max - 1) / (8 * h_max),
                     down = (header.height + 8 * v_max - 1) / (8 * v_max);
  std::int64_t planes = 0;
  for (std::size_t i = 0; i < components; ++i) {
    const std::int64_t h = frame[7 + 3 * i] >> 4, v = frame[7 + 3 * i] & 15;
    if (h_max % h != 0 || v_max % v != 0) {
      return message("this is a JPEG with sampling factors of ", h, " x ", v, " beside ", h_max,
                     " x ", v_max, ", which is not read; save it as a baseline JPEG or as PNG");
    }
    planes += across * h * 8 * down * v * 8;
  }
  // Progressive: two bytes for each coefficient. Then three channels of pixels.
  header.decoder_bytes = planes * (facts.frame.marker == kProgressive ? 3 : 1) +
                         header.width * header.height * (components == 1 ? 1 : 3);
  header.adobe_transform = adobe_transform(facts, frame);
  return "";
}

}  // namespace

ImageHeader read_jpeg_header(Bytes bytes) {
  ImageHeader header;
  Facts facts;
  bool scans = false;
  Segment s{kStart, 0, 2, {}};
  do {
    s = next_segment(bytes, s.end);
    if (s.marker == kScan) scans = true;
    if (!scans) read_metadata(s, facts);
    if (is_frame(s.marker) && facts.frame.marker == 0) facts.frame = s;
  } while (s.marker != 0 && s.marker != kEnd);

  if (facts.frame.marker != 0) header.refusal = read_frame(facts, header);
  if (!header.refusal.empty()) return header;
  if (s.marker != kEnd) {
    header.refusal = "the image is damaged: it is cut off, the end of this JPEG is missing";
  } else if (facts.frame.marker == 0 || !scans) {
    header.refusal = "the image is damaged: this JPEG holds no picture";
  }
  const int found = facts.exif_orientation != 0 ? facts.exif_orientation : facts.xmp_orientation;
  header.orientation = std::max(1, found);
  // A bit or more for each block of 8 x 8 pixels, at a quarter of the resolution or more.
  header.most_pixels = 4 * 64 * 8 * static_cast<std::int64_t>(bytes.size());
  return header;
}

std::vector<std::uint8_t> with_adobe_marker(Bytes bytes, int transform) {
  std::vector<std::uint8_t> whole(bytes.begin(), bytes.end());
  // Components that are called R, G and B are RGB to stb_image whatever a marker says.
  const auto rename = [&](std::size_t at) {
    const std::size_t name = "RGB"sv.find(static_cast<char>(whole[at]));
    if (name != std::string_view::npos) whole[at] = static_cast<std::uint8_t>(name + 1);
  };
  std::size_t first_scan = bytes.size();
  std::vector<std::uint8_t> out = {
      0xff, kStart, 0xff, kApp14, 0, 14, 'A', 'd', 'o',
      'b',  'e',    0,    100,    0, 0,  0,   0,   static_cast<std::uint8_t>(transform)};
  for (Segment s = next_segment(bytes, 2); s.marker != 0 && s.marker != kEnd;
       s = next_segment(bytes, s.end)) {
    const std::size_t payload = s.begin + 4;
    if (transform == 1 && is_frame(s.marker)) {
      for (std::size_t i = 6; i < s.payload.size(); i += 3) rename(payload + i);
    } else if (transform == 1 && s.marker == kScan) {
      for (std::size_t i = 1; i + 3 < s.payload.size(); i += 2) rename(payload + i);
    }
    if (s.marker == kScan) first_scan = std::min(first_scan, s.begin);
    if (first_scan != bytes.size() || s.marker == kApp0 || s.marker == kApp14) continue;
    out.insert(out.end(), whole.begin() + static_cast<std::ptrdiff_t>(s.begin),
               whole.begin() + static_cast<std::ptrdiff_t>(s.end));
  }
  out.insert(out.end(), whole.begin() + static_cast<std::ptrdiff_t>(first_scan), whole.end());
  return out;
}

}  // namespace octet
