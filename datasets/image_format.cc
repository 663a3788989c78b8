#include "datasets/image_format.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace octet {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n"sv, kJpeg = "\xff\xd8"sv;

struct Format {
  std::size_t at;
  std::string_view bytes;
  const char* name;
};

// The more exact of two that begin alike comes first.
constexpr Format kImages[] = {
    {4, "ftypavif"sv, "an AVIF image"},
    {4, "ftypavis"sv, "an AVIF image"},
    {4, "ftyphei"sv, "a HEIC image"},
    {4, "ftyphev"sv, "a HEIC image"},
    {4, "ftypmif1"sv, "a HEIC image"},
    {4, "ftypmsf1"sv, "a HEIC image"},
    {4, "ftypcrx "sv, "a raw photo (CR3)"},
    {8, "WEBPVP8"sv, "a WebP image"},
    {0, "GIF8"sv, "a GIF image"},
    {0, "BM"sv, "a BMP image"},
    {0, "II*\0"sv, "a TIFF image or a raw photo"},
    {0, "MM\0*"sv, "a TIFF image or a raw photo"},
    {0, "II+\0"sv, "a TIFF image"},
    {0, "MM\0+"sv, "a TIFF image"},
    {0, "\0\0\0\x0cjP  "sv, "a JPEG 2000 image"},
    {0, "\xff\x4f\xff\x51"sv, "a JPEG 2000 image"},
    {0, "\0\0\0\x0cJXL "sv, "a JPEG XL image"},
    {0, "\xff\x0a"sv, "a JPEG XL image"},
    {0, "8BPS"sv, "a Photoshop file (PSD)"},
    {0, "\0\0\1\0"sv, "an icon (ICO)"},
    {0, "qoif"sv, "a QOI image"},
    {0, "DDS "sv, "a DDS texture"},
    {0, "\x8aMNG"sv, "an MNG animation"},
    {0, "%PDF"sv, "a PDF document"},
};

// Text formats of pictures, in lower case; blanks before them do not count.
constexpr Format kTexts[] = {
    {0, "<svg"sv, "an SVG drawing"}, {0, "p1"sv, "a PBM image"}, {0, "p2"sv, "a PGM image"},
    {0, "p3"sv, "a PPM image"},      {0, "p4"sv, "a PBM image"}, {0, "p5"sv, "a PGM image"},
    {0, "p6"sv, "a PPM image"},
};

// What is no picture at all.
constexpr Format kOthers[] = {
    {4, "ftyp"sv, "a video or another file of its family (ftyp)"},
    {0, "RIFF"sv, "a sound, video or another RIFF file"},
    {0, "PK\3\4"sv, "a ZIP archive"},
    {0, "\x1f\x8b"sv, "a gzip archive"},
    {0, "\x05\x16\x07"sv, "an AppleDouble file of macOS, which goes with the real one"},
};

const char* find(std::span<const Format> formats, std::string_view bytes) {
  for (const Format& format : formats) {
    if (bytes.size() > format.at && bytes.substr(format.at, format.bytes.size()) == format.bytes) {
      return format.name;
    }
  }
  return nullptr;
}

std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The first letters without what may stand before them, in lower case.
std::string beginning(std::string_view bytes) {
  if (bytes.substr(0, 3) == "\xef\xbb\xbf"sv) bytes.remove_prefix(3);
  bytes = bytes.substr(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()), 64);
  std::string text(bytes);
  for (char& c : text) c = to_lower(c);
  return text;
}

}  // namespace

bool is_png(std::span<const std::uint8_t> bytes) {
  return as_text(bytes).substr(0, kPng.size()) == kPng;
}

bool is_jpeg(std::span<const std::uint8_t> bytes) {
  return as_text(bytes).substr(0, kJpeg.size()) == kJpeg;
}

std::string why_not_an_image(std::span<const std::uint8_t> bytes) {
  const std::string_view all = as_text(bytes);
  if (all.empty()) return "this is an empty file; copy or download it again";
  if (all.find_first_not_of('\0') == std::string_view::npos) {
    return "this file holds nothing but zeros; copy or download it again";
  }
  if (kPng.substr(0, all.size()) == all || kJpeg.substr(0, all.size()) == all) {
    return message("the image is damaged: it is cut off after ", all.size(), " bytes");
  }
  if (all.substr(0, 4) == kPng.substr(0, 4) || all.substr(1, 3) == "PNG"sv) {
    return "the image is damaged: the first bytes of this PNG were changed, as a transfer in text "
           "mode does";
  }
  if (const char* name = find(kImages, all)) {
    return message("this is ", name, "; convert it to PNG or JPEG");
  }
  const std::string text = beginning(all);
  if (const char* name = find(kTexts, text)) {
    return message("this is ", name, "; convert it to PNG or JPEG");
  }
  if (text.rfind("version https://git-lfs", 0) == 0) {
    return "this is a Git-LFS pointer, not the image; fetch that with: git lfs pull";
  }
  if (text.rfind("<!doctype html", 0) == 0 || text.rfind("<html", 0) == 0) {
    return "this is an HTML page, as a failed download leaves; download the image again";
  }
  if (text.rfind("<?xml", 0) == 0) {
    return "this is an XML file (an SVG drawing?); convert it to PNG or JPEG";
  }
  if (const char* name = find(kOthers, all)) {
    return message("this is ", name, ", not a PNG or JPEG image");
  }
  return "this is not a PNG or JPEG image";
}

}  // namespace octet
