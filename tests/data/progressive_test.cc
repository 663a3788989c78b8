#include "data/progressive.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/rng.h"

namespace octet {
namespace {

using Image = std::vector<std::uint8_t>;

Image random_image(std::int64_t size, std::int64_t channels) {
  Rng rng(4, RngPurpose::kTest);
  Image image(static_cast<std::size_t>(size * size * channels));
  for (auto& pixel : image) pixel = static_cast<std::uint8_t>(rng.below(256));
  return image;
}

Image shrunk(const Image& image, std::int64_t full, std::int64_t size, std::int64_t channels) {
  Image out(static_cast<std::size_t>(size * size * channels), 99);
  shrink(image, full, size, channels, out);
  return out;
}

TEST_CASE("image_size: constant, then growing in multiples, then full") {
  const ProgressiveOptions o = {.start_size = 16, .start_ramp = 2, .end_ramp = 10, .multiple = 8};
  std::vector<std::int64_t> sizes;
  for (std::int64_t epoch = 0; epoch < 12; ++epoch) sizes.push_back(image_size(o, 32, epoch));
  CHECK(sizes == std::vector<std::int64_t>{16, 16, 16, 16, 16, 16, 24, 24, 24, 24, 32, 32});
  CHECK(image_size({}, 32, 0) == 32);
  // No ramp: a step. A start that is no multiple stays as it is.
  CHECK(image_size({.start_size = 20, .start_ramp = 3, .end_ramp = 3}, 32, 2) == 20);
  CHECK(image_size({.start_size = 20, .start_ramp = 3, .end_ramp = 3}, 32, 3) == 32);
  CHECK(image_size({.start_size = 20, .start_ramp = 0, .end_ramp = 8}, 32, 1) == 20);
}

TEST_CASE("progressive: options that mean nothing are refused") {
  const Shape image{32, 32, 3};
  CHECK_NOTHROW(validate(ProgressiveOptions{}, {28, 30, 1}));
  CHECK_NOTHROW(validate(ProgressiveOptions{.start_size = 16, .end_ramp = 4}, image));
  CHECK_THROWS_AS(validate(ProgressiveOptions{.start_size = -1}, image), Error);
  CHECK_THROWS_AS(validate(ProgressiveOptions{.start_size = 32}, image), Error);
  CHECK_THROWS_AS(validate(ProgressiveOptions{.start_size = 16}, {32, 24, 3}), Error);
  CHECK_THROWS_AS(validate(ProgressiveOptions{.start_size = 16, .multiple = 0}, image), Error);
  CHECK_THROWS_AS(
      validate(ProgressiveOptions{.start_size = 16, .start_ramp = 5, .end_ramp = 4}, image), Error);
}

TEST_CASE("shrink: means of whole pixels, and of parts of pixels") {
  CHECK(shrunk({0, 10, 20, 31}, 2, 1, 1) == Image{15});  // 61 / 4, rounded half up
  // 3 -> 2: an output pixel has 1 and 1/2 pixels along each axis
  const Image three = {90, 0, 0, 0, 0, 0, 0, 0, 180};
  CHECK(shrunk(three, 3, 2, 1) == Image{40, 0, 0, 80});
}

TEST_CASE("shrink: the size it has leaves an image alone, and one colour stays one colour") {
  for (const std::int64_t channels : {1, 3}) {
    const Image image = random_image(13, channels);
    CHECK(shrunk(image, 13, 13, channels) == image);
    for (const int pixel : {0, 1, 128, 255}) {
      const Image flat(32 * 32 * static_cast<std::size_t>(channels),
                       static_cast<std::uint8_t>(pixel));
      for (const std::int64_t size : {1, 7, 20, 24, 31}) {
        for (const std::uint8_t p : shrunk(flat, 32, size, channels)) CHECK(p == pixel);
      }
    }
  }
}

TEST_CASE("shrink: agrees with its definition in floating point") {
  const std::int64_t channels = 3;
  const struct {
    std::int64_t full, size;
  } cases[] = {{32, 24}, {32, 20}, {32, 16}, {28, 9}, {5, 3}, {255, 254}};
  for (const auto& sizes : cases) {
    const std::int64_t full = sizes.full, size = sizes.size;  // Clang 14 captures no bindings
    CAPTURE(full);
    CAPTURE(size);
    const Image image = random_image(full, channels);
    const Image out = shrunk(image, full, size, channels);
    const double side = double(full) / double(size);
    const auto covered = [&](std::int64_t o, std::int64_t i) {
      return std::max(0.0, std::min(double(o + 1) * side, double(i + 1)) -
                               std::max(double(o) * side, double(i)));
    };
    for (std::int64_t at = 0; at < static_cast<std::int64_t>(out.size()); at += 7) {
      const std::int64_t c = at % channels, x = at / channels % size, y = at / channels / size;
      double sum = 0.0;
      for (std::int64_t i = 0; i < full; ++i) {
        if (covered(y, i) <= 0.0) continue;
        for (std::int64_t j = 0; j < full; ++j) {
          sum += covered(y, i) * covered(x, j) *
                 image[static_cast<std::size_t>((i * full + j) * channels + c)];
        }
      }
      CHECK(std::fabs(out[static_cast<std::size_t>(at)] - sum / (side * side)) < 0.5 + 1e-6);
    }
  }
}

}  // namespace
}  // namespace octet
