#include "data/progressive.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/error.h"

namespace octet {
namespace {

// How much of pixel i lies in the area of the output pixel o, along one axis: output pixels are
// `full` units wide, pixels `size`, so that everything is a whole number.
std::int64_t overlap(std::int64_t o, std::int64_t i, std::int64_t full, std::int64_t size) {
  return std::min((o + 1) * full, (i + 1) * size) - std::max(o * full, i * size);
}

// Calls body(o, i, overlap) for all pixels that overlap, ascending in o, then in i.
template <class Body>
void for_each_overlap(std::int64_t full, std::int64_t size, const Body& body) {
  for (std::int64_t o = 0; o < size; ++o) {
    for (std::int64_t i = o * full / size; i * size < (o + 1) * full; ++i) {
      body(o, i, static_cast<std::uint32_t>(overlap(o, i, full, size)));
    }
  }
}

}  // namespace

void validate(const ProgressiveOptions& o, const Shape& image_shape) {
  OCTET_CHECK(
      o.start_size >= 0 && o.start_ramp >= 0 && o.end_ramp >= o.start_ramp && o.multiple >= 1,
      "[progressive] needs start_size >= 0, 0 <= start_ramp <= end_ramp and multiple >= 1, "
      "got ",
      o.start_size, ", ", o.start_ramp, ", ", o.end_ramp, ", ", o.multiple);
  if (o.start_size == 0) return;
  OCTET_CHECK(image_shape.rank() == 3 && image_shape[0] == image_shape[1] &&
                  o.start_size < image_shape[0] && image_shape[0] <= 4096,
              "[progressive] start_size ", o.start_size,
              " needs square images with longer sides, of at most 4096 pixels; they are ",
              image_shape);
}

std::int64_t image_size(const ProgressiveOptions& o, std::int64_t full_size, std::int64_t epoch) {
  if (o.start_size == 0 || epoch >= o.end_ramp) return full_size;
  if (epoch <= o.start_ramp) return o.start_size;
  const std::int64_t grown =
      (full_size - o.start_size) * (epoch - o.start_ramp) / std::int64_t{o.end_ramp - o.start_ramp};
  return std::max<std::int64_t>(o.start_size, (o.start_size + grown) / o.multiple * o.multiple);
}

void shrink(std::span<const std::uint8_t> pixels, std::int64_t full, std::int64_t size,
            std::int64_t channels, std::span<std::uint8_t> out) {
  const auto c = static_cast<std::size_t>(channels);
  const std::size_t row = static_cast<std::size_t>(full) * c;
  const std::size_t out_row = static_cast<std::size_t>(size) * c;
  // First along y, for whole rows, then along x. The overlaps of one output pixel add up to full *
  // full, so that the sums stay below 2^32.
  static thread_local std::vector<std::uint32_t> rows, sums;
  rows.assign(static_cast<std::size_t>(size) * row, 0);
  for_each_overlap(full, size, [&](std::int64_t y, std::int64_t from, std::uint32_t weight) {
    std::uint32_t* sum = &rows[static_cast<std::size_t>(y) * row];
    const std::uint8_t* source = &pixels[static_cast<std::size_t>(from) * row];
    for (std::size_t i = 0; i < row; ++i) sum[i] += weight * source[i];
  });

  const auto area = static_cast<std::uint32_t>(full * full);
  for (std::size_t y = 0; y < static_cast<std::size_t>(size); ++y) {
    sums.assign(out_row, area / 2);
    for_each_overlap(full, size, [&](std::int64_t x, std::int64_t from, std::uint32_t weight) {
      std::uint32_t* sum = &sums[static_cast<std::size_t>(x) * c];
      const std::uint32_t* source = &rows[y * row + static_cast<std::size_t>(from) * c];
      for (std::size_t k = 0; k < c; ++k) sum[k] += weight * source[k];
    });
    for (std::size_t i = 0; i < out_row; ++i) {
      out[y * out_row + i] = static_cast<std::uint8_t>(sums[i] / area);
    }
  }
}

}  // namespace octet
