#include "data/transform.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <set>

#include "base/error.h"

namespace octet {
namespace {

using Image = std::vector<std::uint8_t>;

Image random_image(const Shape& shape) {
  Rng rng(3, RngPurpose::kTest);
  Image image(static_cast<std::size_t>(shape.numel()));
  for (auto& pixel : image) pixel = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

Image varied(const Image& image, const Shape& shape, const AugmentOptions& options,
             std::uint32_t index, std::uint8_t hole = 7) {
  Image out(image.size(), 99);
  const Image holes(static_cast<std::size_t>(shape[2]), hole);
  augment(image, shape, options, holes, Rng(1, RngPurpose::kAugment, 2, index), out);
  return out;
}

const Shape kShapes[] = {{28, 28, 1}, {32, 32, 3}, {5, 7, 2}, {1, 1, 1}, {3, 1, 4}, {1, 9, 3}};

TEST_CASE("augment: nothing on leaves the image alone") {
  for (const Shape& shape : kShapes) {
    CAPTURE(shape);
    const Image image = random_image(shape);
    CHECK(varied(image, shape, {}, 0) == image);
  }
}

TEST_CASE("augment: an affine that does not move anything is exact") {
  for (const Shape& shape : kShapes) {
    CAPTURE(shape);
    const Image image = random_image(shape);
    // so small that every coordinate rounds to the pixel itself
    CHECK(varied(image, shape, {.shift = 1e-7f}, 0) == image);
    CHECK(varied(image, shape, {.rotate_degrees = 1e-6f}, 0) == image);
    CHECK(varied(image, shape, {.scale = 1e-7f}, 0) == image);
    CHECK(varied(image, shape, {.shear = 1e-8f}, 0) == image);
  }
}

TEST_CASE("augment: a function of the stream of random numbers alone") {
  const AugmentOptions all = {.shift = 2,
                              .rotate_degrees = 10,
                              .scale = 0.1f,
                              .shear = 0.1f,
                              .crop_padding = 2,
                              .flip = true,
                              .cutout = 4};
  for (const Shape& shape : kShapes) {
    CAPTURE(shape);
    const Image image = random_image(shape);
    CHECK(varied(image, shape, all, 5) == varied(image, shape, all, 5));
  }
  const Shape shape{28, 28, 1};
  const Image image = random_image(shape);
  CHECK(varied(image, shape, all, 5) != varied(image, shape, all, 6));
}

// The definition in floating point, with libm: p_out = s R [1 k; 0 1] (p - centre) + centre + t.
double reference(const Image& image, const Shape& shape, double x, double y) {
  const auto at = [&](double yy, double xx) {
    if (yy < 0 || xx < 0 || yy >= double(shape[0]) || xx >= double(shape[1])) return 0.0;
    return static_cast<double>(image[static_cast<std::size_t>(yy * double(shape[1]) + xx)]);
  };
  const double x0 = std::floor(x), y0 = std::floor(y), fx = x - x0, fy = y - y0;
  return (at(y0, x0) * (1 - fx) + at(y0, x0 + 1) * fx) * (1 - fy) +
         (at(y0 + 1, x0) * (1 - fx) + at(y0 + 1, x0 + 1) * fx) * fy;
}

TEST_CASE("augment: affine agrees with its definition in floating point") {
  const Shape shape{20, 28, 1};
  Image image(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < image.size(); ++i) {  // smooth: a 2^-8 pixel is worth under 1 level
    const double x = double(i % 28), y = double(i / 28);
    image[i] = static_cast<std::uint8_t>(127 + 60 * std::sin(x / 3) + 60 * std::cos(y / 4));
  }
  for (const AugmentOptions& o :
       {AugmentOptions{.shift = 5}, AugmentOptions{.rotate_degrees = 180},
        AugmentOptions{.scale = 0.6f}, AugmentOptions{.shear = 1},
        AugmentOptions{.shift = 3, .rotate_degrees = 30, .scale = 0.3f, .shear = 0.3f}}) {
    for (std::uint32_t index = 0; index < 8; ++index) {
      const Image out = varied(image, shape, o, index);
      Rng rng(1, RngPurpose::kAugment, 2, index);
      const double tx = double{rng.uniform(-o.shift, o.shift)};
      const double ty = double{rng.uniform(-o.shift, o.shift)};
      const double angle =
          double{rng.uniform(-o.rotate_degrees, o.rotate_degrees)} * std::numbers::pi / 180;
      const double s = double{rng.uniform(1 - o.scale, 1 + o.scale)};
      const double k = double{rng.uniform(-o.shear, o.shear)};
      for (int y = 0; y < 20; ++y) {
        for (int x = 0; x < 28; ++x) {
          // undo the steps one after the other: t and centre, R, s, shear
          const double px = x - 13.5 - tx, py = y - 9.5 - ty;
          const double rx = (std::cos(angle) * px + std::sin(angle) * py) / s;
          const double ry = (-std::sin(angle) * px + std::cos(angle) * py) / s;
          const double expected = reference(image, shape, rx - k * ry + 13.5, ry + 9.5);
          const double got = out[static_cast<std::size_t>(y * 28 + x)];
          CHECK(std::fabs(got - expected) <
                3.0);  // at the border the image falls to black: 255/256
        }
      }
    }
  }
}

TEST_CASE("augment: crop moves by whole pixels, by every offset, and lets black in") {
  const Shape shape{6, 6, 3};
  const Image image = random_image(shape);
  std::set<std::pair<int, int>> offsets;
  for (std::uint32_t index = 0; index < 300; ++index) {
    const Image out = varied(image, shape, {.crop_padding = 2}, index);
    bool found = false;
    for (int dy = -2; dy <= 2 && !found; ++dy) {
      for (int dx = -2; dx <= 2 && !found; ++dx) {
        Image moved(image.size(), 0);
        for (int y = 0; y < 6; ++y) {
          for (int x = 0; x < 6; ++x) {
            if (y + dy < 0 || y + dy >= 6 || x + dx < 0 || x + dx >= 6) continue;
            std::copy_n(image.begin() + ((y + dy) * 6 + x + dx) * 3, 3,
                        moved.begin() + (y * 6 + x) * 3);
          }
        }
        found = moved == out;
        if (found) offsets.insert({dy, dx});
      }
    }
    CHECK(found);
  }
  CHECK(offsets.size() == 25);
}

TEST_CASE("augment: padding wider than the image leaves black only, or part of the image") {
  const Shape shape{2, 2, 1};
  const Image image = {1, 2, 3, 4};
  for (std::uint32_t index = 0; index < 50; ++index) {
    const Image out = varied(image, shape, {.crop_padding = 9}, index);
    CHECK(std::count(out.begin(), out.end(), 99) == 0);
  }
}

TEST_CASE("augment: flip mirrors whole pixels in half of the cases") {
  const Shape shape{2, 3, 2};
  const Image image = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const Image mirrored = {4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7};
  int flips = 0;
  for (std::uint32_t index = 0; index < 400; ++index) {
    const Image out = varied(image, shape, {.flip = true}, index);
    CHECK((out == image || out == mirrored));
    flips += out == mirrored;
  }
  CHECK(flips > 140);
  CHECK(flips < 260);
}

TEST_CASE("augment: cutout fills one square, clipped at the border, with the hole's pixel") {
  const Shape shape{8, 8, 3};
  const Image image(8 * 8 * 3, 200);
  for (std::uint32_t index = 0; index < 100; ++index) {
    const Image out = varied(image, shape, {.cutout = 4}, index, 128);
    int x0 = 8, x1 = -1, y0 = 8, y1 = -1, filled = 0;
    for (int i = 0; i < 64; ++i) {
      const auto at = static_cast<std::size_t>(i) * 3;
      if (out[at] == 200) continue;
      CHECK(out[at] == 128);
      CHECK(out[at + 2] == 128);
      x0 = std::min(x0, i % 8), x1 = std::max(x1, i % 8);
      y0 = std::min(y0, i / 8), y1 = std::max(y1, i / 8);
      ++filled;
    }
    CHECK(filled == (x1 - x0 + 1) * (y1 - y0 + 1));
    CHECK((x1 - x0 == 3 || x0 == 0 || x1 == 7));
    CHECK((y1 - y0 == 3 || y0 == 0 || y1 == 7));
    CHECK(filled >= 4);
  }
}

TEST_CASE("augment: options outside their range are refused") {
  CHECK_NOTHROW(validate(AugmentOptions{.shift = 2, .rotate_degrees = 180, .scale = 0.9f}));
  CHECK_THROWS_AS(validate(AugmentOptions{.shift = -1}), Error);
  CHECK_THROWS_AS(validate(AugmentOptions{.shift = NAN}), Error);
  CHECK_THROWS_AS(validate(AugmentOptions{.rotate_degrees = 181}), Error);
  CHECK_THROWS_AS(validate(AugmentOptions{.scale = 1}), Error);
  CHECK_THROWS_AS(validate(AugmentOptions{.shear = INFINITY}), Error);
  CHECK_THROWS_AS(validate(AugmentOptions{.crop_padding = -1}), Error);
  CHECK_THROWS_AS(validate(AugmentOptions{.cutout = -1}), Error);
}

}  // namespace
}  // namespace octet
