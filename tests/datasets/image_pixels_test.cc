// The pixels of images/, each beside what Pillow gives for it (make_images.py).
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "datasets/image_file.h"
#include "file/read_file.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = OCTET_SOURCE_DIR "/tests/datasets/images";

Image decode(const fs::path& path, int channels) {
  return decode_image(read_file(path.string()), channels, path.string());
}

std::set<fs::path> pictures(const std::string& extension) {
  std::set<fs::path> found;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    const fs::path& path = entry.path();
    if (path.extension() == extension && path.stem().extension() != ".rgb") found.insert(path);
  }
  return found;
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  }
  return largest;
}

void check_pixels(const std::string& extension, int tolerance) {
  const std::set<fs::path> files = pictures(extension);
  REQUIRE(files.size() > 20);
  for (const fs::path& path : files) {
    const std::string stem = path.stem().string(), kind = extension.substr(1);
    CAPTURE(stem);
    const Image right = decode(kFolder / (stem + "_" + kind + ".rgb.png"), 3);
    const Image decoded = decode(path, 3);
    REQUIRE(decoded.shape == right.shape);
    CHECK(largest_difference(decoded, right) <= tolerance);
    // The channels of its own are grey only where all three are the same.
    const Image own = decode(path, 0);
    CHECK((own.shape[2] == 1 ? stem.rfind("grey", 0) == 0 : own.pixels == decoded.pixels));
  }
}

TEST_CASE("image_file: PNG of every kind gives the pixels that Pillow gives") {
  check_pixels(".png", 0);
}

// Decoders of JPEG may round differently; on these smooth pictures by two steps.
TEST_CASE("image_file: JPEG of every kind gives the pixels that Pillow gives") {
  check_pixels(".jpg", 2);
}

TEST_CASE("image_file: the eight orientations turn one stored picture into eight") {
  std::set<std::vector<std::uint8_t>> different;
  for (int i = 1; i <= 8; ++i) {
    const Image image = decode(kFolder / ("orientation_" + std::to_string(i) + ".jpg"), 0);
    CHECK(image.shape == (i < 5 ? Shape{13, 21, 3} : Shape{21, 13, 3}));
    different.insert(image.pixels);
  }
  CHECK(different.size() == 8);
}

}  // namespace
}  // namespace octet
