#include "datasets/image_file.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "datasets/image_format.h"
#include "datasets/image_header.h"
#include "datasets/jpeg_check.h"
#include "datasets/jpeg_header.h"
#include "datasets/png_header.h"
#include "datasets/stb_decoder.h"

namespace octet {
namespace {

constexpr std::int64_t kMaxSide = 16384, kMaxPixels = std::int64_t{64} << 20;
constexpr std::int64_t kMiB = 1 << 20, kDecoderBytes = 128 * kMiB;

// The memory that decoding may take. A photo of 50 million pixels is a JPEG of many megabytes and
// may take in proportion, a small file may not.
std::int64_t most_decoder_bytes(std::span<const std::uint8_t> bytes) {
  if (is_png(bytes)) return kDecoderBytes;
  return std::max(kDecoderBytes, 64 * static_cast<std::int64_t>(bytes.size()));
}

void check_size(const ImageHeader& header, std::span<const std::uint8_t> bytes,
                const std::string& source) {
  const std::int64_t w = header.width, h = header.height, most = most_decoder_bytes(bytes);
  OCTET_CHECK(w > 0 && h > 0 && w <= kMaxSide && h <= kMaxSide && w * h <= kMaxPixels, source,
              ": expected at most ", kMaxSide, " pixels per side and ", kMaxPixels, " in all, got ",
              w, " x ", h);
  OCTET_CHECK(w * h <= header.most_pixels, source, ": the image is damaged: ", bytes.size(),
              " bytes cannot hold ", w, " x ", h, " pixels");
  OCTET_CHECK(header.decoder_bytes <= most, source, ": ", w, " x ", h,
              " pixels of this kind would take ", (header.decoder_bytes + kMiB - 1) / kMiB,
              " MiB to decode, at most ", most / kMiB, " MiB are used; make the image smaller");
}

// The pixels of an image that was stored lying or mirrored, upright.
//   [h, w, c]: the shape as stored; orientations 5 to 8 exchange h and w
Image upright(const std::uint8_t* pixels, std::int64_t h, std::int64_t w, std::int64_t c,
              int orientation) {
  if (orientation == 1) return {{h, w, c}, std::vector<std::uint8_t>(pixels, pixels + h * w * c)};
  const bool turned = orientation >= 5;
  Image image{turned ? Shape{w, h, c} : Shape{h, w, c}, {}};
  image.pixels.resize(static_cast<std::size_t>(h * w * c));
  std::uint8_t* to = image.pixels.data();
  // The first row stored is the bottom of the picture, or its right side; the first column
  // likewise.
  const bool rows_backward =
                 orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7,
             columns_backward =
                 orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  for (std::int64_t y = 0; y < image.shape[0]; ++y) {
    for (std::int64_t x = 0; x < image.shape[1]; ++x) {
      std::int64_t row = turned ? x : y, column = turned ? y : x;
      if (rows_backward) row = h - 1 - row;
      if (columns_backward) column = w - 1 - column;
      to = std::copy_n(pixels + (row * w + column) * c, c, to);
    }
  }
  return image;
}

// Which source rows (or columns) make an output row, and how much of each.
struct Taps {
  std::int64_t first = 0;
  std::vector<double> weights;
};

std::vector<Taps> triangle_filter(std::int64_t from, std::int64_t to) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to);
  const double support = std::max(1.0, ratio);
  std::vector<Taps> filter(static_cast<std::size_t>(to));
  for (std::int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * ratio - 0.5;
    const auto low = static_cast<std::int64_t>(std::floor(centre - support)) + 1;
    const auto high = static_cast<std::int64_t>(std::ceil(centre + support)) - 1;
    Taps& taps = filter[static_cast<std::size_t>(i)];
    taps.first = std::max<std::int64_t>(low, 0);
    double sum = 0.0;
    for (std::int64_t k = taps.first; k <= std::min(high, from - 1); ++k) {
      taps.weights.push_back(1.0 - std::fabs(static_cast<double>(k) - centre) / support);
      sum += taps.weights.back();
    }
    for (double& weight : taps.weights) weight /= sum;
  }
  return filter;
}

}  // namespace

ImageHeader read_image_header(std::span<const std::uint8_t> bytes) {
  if (is_png(bytes)) return read_png_header(bytes);
  if (is_jpeg(bytes) && bytes.size() > 2) return read_jpeg_header(bytes);
  ImageHeader header;
  header.refusal = why_not_an_image(bytes);
  return header;
}

Image decode_image(std::span<const std::byte> file, int channels, const std::string& source) {
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
  OCTET_CHECK(bytes.size() <= std::numeric_limits<std::int32_t>::max() / 2, source,
              ": the file is too large");
  const ImageHeader header = read_image_header(bytes);
  OCTET_CHECK(header.refusal.empty(), source, ": ", header.refusal);
  check_size(header, bytes, source);
  OCTET_CHECK(jpeg_tables_fit(bytes), source,
              ": the image is damaged: a Huffman table has more than 256 codes");

  std::vector<std::uint8_t> marked;
  if (header.adobe_transform >= 0) marked = with_adobe_marker(bytes, header.adobe_transform);
  const auto most = static_cast<std::size_t>(most_decoder_bytes(bytes) + kMiB);
  const DecodedPixels decoded =
      stb_decode(marked.empty() ? bytes : std::span<const std::uint8_t>(marked), channels, most);
  OCTET_CHECK(!decoded.out_of_memory, source, ": the image is damaged: its pixels take more than ",
              most / static_cast<std::size_t>(kMiB), " MiB to decode");
  OCTET_CHECK(decoded.pixels != nullptr, source, ": the image is damaged and cannot be decoded");
  return upright(decoded.pixels.get(), decoded.height, decoded.width, decoded.channels,
                 header.orientation);
}

Image resize(const Image& image, std::int64_t height, std::int64_t width) {
  const std::int64_t from_width = image.shape[1], c = image.shape[2];
  const std::vector<Taps> rows = triangle_filter(image.shape[0], height);
  const std::vector<Taps> columns = triangle_filter(from_width, width);
  Image out{{height, width, c}, {}};
  out.pixels.reserve(static_cast<std::size_t>(out.shape.numel()));

  std::vector<double> row(static_cast<std::size_t>(from_width * c));
  for (const Taps& vertical : rows) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t k = 0; k < vertical.weights.size(); ++k) {
      const std::size_t from = (static_cast<std::size_t>(vertical.first) + k) * row.size();
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] += vertical.weights[k] * static_cast<double>(image.pixels[from + i]);
      }
    }
    for (const Taps& horizontal : columns) {
      for (std::int64_t channel = 0; channel < c; ++channel) {
        double sum = 0.5;  // rounds to nearest
        auto from = static_cast<std::size_t>(horizontal.first * c + channel);
        for (const double weight : horizontal.weights) {
          sum += weight * row[from];
          from += static_cast<std::size_t>(c);
        }
        out.pixels.push_back(static_cast<std::uint8_t>(std::clamp(sum, 0.0, 255.0)));
      }
    }
  }
  return out;
}

}  // namespace octet
