#include "data/transform.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numbers>

#include "base/error.h"

namespace octet {
namespace {

struct Size {
  std::int64_t h, w, c;
};

struct SinCos {
  double sin, cos;
};

// Taylor series to x^22: below 1e-10 off on [-pi, pi], and unlike libm's the same everywhere.
SinCos sin_cos(double x) {
  double sin = x, cos = 1.0, sin_term = x, cos_term = 1.0;
  for (int k = 1; k <= 11; ++k) {
    cos_term *= -x * x / ((2 * k - 1) * (2 * k));
    sin_term *= -x * x / ((2 * k) * (2 * k + 1));
    cos += cos_term;
    sin += sin_term;
  }
  return {sin, cos};
}

// Where the output pixel (x, y) comes from: (x0 + xx x + xy y, y0 + yx x + yy y), in 2^-16 pixels.
struct InverseMap {
  std::int64_t xx, xy, x0, yx, yy, y0;
};

std::int64_t fixed(double value) {
  return static_cast<std::int64_t>(std::floor(value * 65536.0 + 0.5));
}

bool has_affine(const AugmentOptions& o) {
  return o.shift > 0.0f || o.rotate_degrees > 0.0f || o.scale > 0.0f || o.shear > 0.0f;
}

// The inverse of p -> s R(angle) [1 k; 0 1] (p - centre) + centre + t.
InverseMap random_affine(const AugmentOptions& o, Size size, Rng& rng) {
  const double tx = double{rng.uniform(-o.shift, o.shift)};
  const double ty = double{rng.uniform(-o.shift, o.shift)};
  const double angle = double{rng.uniform(-o.rotate_degrees, o.rotate_degrees)};
  const double inverse_scale = 1.0 / double{rng.uniform(1.0f - o.scale, 1.0f + o.scale)};
  const double k = double{rng.uniform(-o.shear, o.shear)};
  const auto [sin, cos] = sin_cos(angle * std::numbers::pi / 180.0);

  const double xx = inverse_scale * (cos + k * sin), xy = inverse_scale * (sin - k * cos);
  const double yx = -inverse_scale * sin, yy = inverse_scale * cos;
  const double cx = static_cast<double>(size.w - 1) / 2, cy = static_cast<double>(size.h - 1) / 2;
  return {fixed(xx), fixed(xy), fixed(cx - xx * (cx + tx) - xy * (cy + ty)),
          fixed(yx), fixed(yy), fixed(cy - yx * (cx + tx) - yy * (cy + ty))};
}

// A copy with a black frame, 1 pixel wide at the left and top, 2 at the right and bottom: every
// coordinate clamped to the frame has four neighbours, and those beyond it are black.
const std::uint8_t* framed(const std::uint8_t* pixels, Size size,
                           std::vector<std::uint8_t>& scratch) {
  const std::int64_t row = size.w * size.c, framed_row = (size.w + 3) * size.c;
  scratch.assign(static_cast<std::size_t>(framed_row * (size.h + 3)), 0);
  for (std::int64_t y = 0; y < size.h; ++y) {
    std::memcpy(&scratch[static_cast<std::size_t>((y + 1) * framed_row + size.c)], pixels + y * row,
                static_cast<std::size_t>(row));
  }
  return scratch.data();
}

// kC: number of channels, 0 for any.
template <int kC>
void warp(const std::uint8_t* source, Size size, const InverseMap& map, std::uint8_t* out) {
  const std::int64_t c = kC > 0 ? kC : size.c, framed_row = (size.w + 3) * c;
  const std::int64_t one = 65536, max_u = (size.w + 1) * one, max_v = (size.h + 1) * one;
  for (std::int64_t y = 0; y < size.h; ++y) {
    std::int64_t sx = map.x0 + map.xy * y + one, sy = map.y0 + map.yy * y + one;
    for (std::int64_t x = 0; x < size.w; ++x, sx += map.xx, sy += map.yx, out += c) {
      const std::int64_t u = std::clamp<std::int64_t>(sx, 0, max_u);
      const std::int64_t v = std::clamp<std::int64_t>(sy, 0, max_v);
      const int fx = static_cast<int>(u >> 8) & 255, fy = static_cast<int>(v >> 8) & 255;
      const std::uint8_t* above = source + (v >> 16) * framed_row + (u >> 16) * c;
      const std::uint8_t* below = above + framed_row;
      for (std::int64_t i = 0; i < c; ++i) {
        const int top = above[i] * 256 + (above[i + c] - above[i]) * fx;
        const int bottom = below[i] * 256 + (below[i + c] - below[i]) * fx;
        out[i] = static_cast<std::uint8_t>((top * 256 + (bottom - top) * fy + 32768) >> 16);
      }
    }
  }
}

void affine(const std::uint8_t* pixels, Size size, const InverseMap& map, std::uint8_t* out) {
  static thread_local std::vector<std::uint8_t> scratch;
  const std::uint8_t* source = framed(pixels, size, scratch);
  switch (size.c) {
    case 1:
      return warp<1>(source, size, map, out);
    case 3:
      return warp<3>(source, size, map, out);
    default:
      return warp<0>(source, size, map, out);
  }
}

// Out(y, x) = pixels(y + dy, x + dx), black outside.
void crop(const std::uint8_t* pixels, Size size, std::int64_t dy, std::int64_t dx,
          std::uint8_t* out) {
  const std::int64_t row = size.w * size.c;
  const std::int64_t first = std::clamp<std::int64_t>(-dx, 0, size.w);
  const std::int64_t last = std::clamp<std::int64_t>(size.w - dx, first, size.w);
  std::fill_n(out, size.h * row, std::uint8_t{0});
  for (std::int64_t y = 0; y < size.h && first < last; ++y) {
    if (y + dy < 0 || y + dy >= size.h) continue;
    std::memcpy(out + y * row + first * size.c, pixels + (y + dy) * row + (first + dx) * size.c,
                static_cast<std::size_t>((last - first) * size.c));
  }
}

void flip_left_right(std::uint8_t* pixels, Size size) {
  for (std::int64_t y = 0; y < size.h; ++y) {
    std::uint8_t* left = pixels + y * size.w * size.c;
    std::uint8_t* right = left + (size.w - 1) * size.c;
    for (; left < right; left += size.c, right -= size.c) {
      std::swap_ranges(left, left + size.c, right);
    }
  }
}

void cut_hole(std::uint8_t* pixels, Size size, std::int64_t side, std::int64_t centre_y,
              std::int64_t centre_x, std::span<const std::uint8_t> hole) {
  const std::int64_t y0 = centre_y - side / 2, x0 = centre_x - side / 2;
  for (std::int64_t y = std::max<std::int64_t>(y0, 0); y < std::min(y0 + side, size.h); ++y) {
    for (std::int64_t x = std::max<std::int64_t>(x0, 0); x < std::min(x0 + side, size.w); ++x) {
      std::copy(hole.begin(), hole.end(), pixels + (y * size.w + x) * size.c);
    }
  }
}

}  // namespace

void validate(const AugmentOptions& o) {
  const auto check = [](const char* name, double value, double max) {
    OCTET_CHECK(value >= 0.0 && value <= max, "[augment] ", name, " must lie in [0, ", max,
                "], got ", value);
  };
  check("shift", double{o.shift}, 16384);
  check("rotate_degrees", double{o.rotate_degrees}, 180);
  check("scale", double{o.scale}, 0.9f);
  check("shear", double{o.shear}, 2);
  check("crop_padding", o.crop_padding, 16384);
  check("cutout", o.cutout, 16384);
  OCTET_CHECK(!o.flip || !o.alternate_flip, "[augment] flip and alternate_flip exclude each other");
}

void augment(std::span<const std::uint8_t> pixels, const Shape& image_shape,
             const AugmentOptions& o, std::span<const std::uint8_t> hole, Rng rng,
             std::span<std::uint8_t> out, bool mirrored) {
  static thread_local std::vector<std::uint8_t> moved;
  const Size size{image_shape[0], image_shape[1], image_shape[2]};
  const std::uint8_t* current = pixels.data();
  if (has_affine(o)) {
    moved.resize(pixels.size());
    std::uint8_t* to = o.crop_padding > 0 ? moved.data() : out.data();
    affine(current, size, random_affine(o, size, rng), to);
    current = to;
  }
  if (o.crop_padding > 0) {
    const auto offsets = static_cast<std::uint32_t>(2 * o.crop_padding + 1);
    const std::int64_t dy = std::int64_t{rng.below(offsets)} - o.crop_padding;
    const std::int64_t dx = std::int64_t{rng.below(offsets)} - o.crop_padding;
    crop(current, size, dy, dx, out.data());
  } else if (current != out.data()) {
    std::copy(pixels.begin(), pixels.end(), out.begin());
  }
  if (mirrored || (o.flip && rng.below(2) == 1)) flip_left_right(out.data(), size);
  if (o.cutout > 0) {
    const std::int64_t y = rng.below(static_cast<std::uint32_t>(size.h));
    const std::int64_t x = rng.below(static_cast<std::uint32_t>(size.w));
    cut_hole(out.data(), size, o.cutout, y, x, hole);
  }
}

}  // namespace octet
