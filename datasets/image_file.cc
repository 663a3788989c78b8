#include "datasets/image_file.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>

// Zeroed memory: before 2.28 stb_image uses Huffman tables that a damaged JPEG never defined.
#define STBI_MALLOC(size) std::calloc(1, size)
#define STBI_REALLOC(pointer, size) std::realloc(pointer, size)
#define STBI_FREE(pointer) std::free(pointer)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_SIMD
#define STBI_NO_LINEAR
#define STBI_NO_FAILURE_STRINGS
#define STBI_MAX_DIMENSIONS 16384
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

#include "base/error.h"
#include "datasets/jpeg_check.h"
#include "datasets/png_check.h"

namespace octet {
namespace {

constexpr std::int64_t kMaxPixels = std::int64_t{64} << 20;

// The most pixels that the file can hold: a small one must not ask for much memory and time.
// Deflate makes at most 1032 bytes of one; a JPEG has a bit or more for each block of 8 x 8 pixels,
// at a quarter of the resolution or more.
std::int64_t most_pixels(std::span<const stbi_uc> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (bytes[0] == 0xff) return 4 * 64 * 8 * size;
  constexpr std::size_t kDepth = 24, kColourType = 25;  // in a PNG's first chunk
  if (bytes.size() <= kColourType) return 0;
  constexpr int kChannels[] = {1, 1, 3, 1, 2, 1, 4};
  const int depth = bytes[kDepth], type = bytes[kColourType];
  return 1032 * 8 * size / std::max(1, depth * (type <= 6 ? kChannels[type] : 1));
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

Image decode_image(std::span<const std::byte> bytes, int channels, const std::string& source) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  OCTET_CHECK(bytes.size() <= std::numeric_limits<int>::max(), source, ": the file is too large");
  OCTET_CHECK(jpeg_tables_fit(std::span(data, bytes.size())), source,
              ": the image is damaged: a Huffman table has more than 256 codes");
  OCTET_CHECK(png_chunks_fit(std::span(data, bytes.size())), source,
              ": the image is damaged: it ends within a chunk");
  const int size = static_cast<int>(bytes.size());
  int width = 0, height = 0, stored_channels = 0;
  OCTET_CHECK(stbi_info_from_memory(data, size, &width, &height, &stored_channels) == 1, source,
              ": this is not a PNG or JPEG image of at most 16384 pixels per side");
  OCTET_CHECK(width > 0 && height > 0 && width <= STBI_MAX_DIMENSIONS &&
                  height <= STBI_MAX_DIMENSIONS && std::int64_t{width} * height <= kMaxPixels,
              source, ": expected at most 16384 pixels per side and ", kMaxPixels, " in all, got ",
              width, " x ", height);
  OCTET_CHECK(std::int64_t{width} * height <= most_pixels(std::span(data, bytes.size())), source,
              ": the image is damaged: ", size, " bytes cannot hold ", width, " x ", height,
              " pixels");

  if (channels == 0) channels = stored_channels <= 2 ? 1 : 3;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(data, size, &width, &height, &stored_channels, channels),
      stbi_image_free);
  OCTET_CHECK(pixels != nullptr, source, ": the image is damaged and cannot be decoded");
  const Shape shape{height, width, channels};
  return {shape, std::vector<std::uint8_t>(pixels.get(), pixels.get() + shape.numel())};
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
