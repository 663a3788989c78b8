#include "datasets/idx.h"

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"
#include "tests/text.h"

namespace octet {
namespace {

using testing::has;

DatasetFile file_of(std::initializer_list<int> bytes, std::string path = "data/mnist/x") {
  DatasetFile file{std::move(path), {}, "fetch it again"};
  for (const int b : bytes) file.bytes.push_back(static_cast<std::byte>(b));
  return file;
}

// three images of 2 x 2 pixels, and their labels
const DatasetFile kImages =
    file_of({0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
            "data/mnist/images");
const DatasetFile kLabels = file_of({0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1}, "data/mnist/labels");
const std::vector<std::string> kNames = {"a", "b", "c"};

std::string error_of(const DatasetFile& images, const DatasetFile& labels) {
  try {
    parse_idx_dataset(images, labels, kNames);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

DatasetFile with(DatasetFile file, std::size_t at, int value) {
  file.bytes[at] = static_cast<std::byte>(value);
  return file;
}

TEST_CASE("idx: reads images and labels") {
  const auto dataset = parse_idx_dataset(kImages, kLabels, kNames);
  CHECK(dataset->size() == 3);
  CHECK(dataset->image_shape() == Shape{2, 2, 1});
  CHECK(dataset->get(1).pixels[0] == 5);
  CHECK(dataset->get(2).pixels[3] == 12);
  CHECK(dataset->get(0).label == 2);
  CHECK(dataset->get(2).label == 1);
}

TEST_CASE("idx: a file cut off at any byte, or too long, is an error that says where it ends") {
  for (std::size_t size = 0; size < kImages.bytes.size(); ++size) {
    DatasetFile cut = kImages;
    cut.bytes.resize(size);
    const std::string error = error_of(cut, kLabels);
    CAPTURE(error);
    CHECK(has(error, "data/mnist/images: byte " + std::to_string(size)));
    CHECK(has(error, "fetch it again"));
  }
  for (std::size_t size = 0; size < kLabels.bytes.size(); ++size) {
    DatasetFile cut = kLabels;
    cut.bytes.resize(size);
    CHECK(has(error_of(kImages, cut), "data/mnist/labels: byte " + std::to_string(size)));
  }
  DatasetFile longer = kImages;
  longer.bytes.push_back(std::byte{0});
  CHECK(has(error_of(longer, kLabels), "byte 29: expected the file to end at byte 28"));
}

TEST_CASE("idx: every flipped bit of the header is an error") {
  for (std::size_t at = 0; at < 16; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      CAPTURE(at);
      CAPTURE(bit);
      const int value = static_cast<int>(kImages.bytes[at]) ^ (1 << bit);
      const std::string error = error_of(with(kImages, at, value), kLabels);
      CHECK(has(error, "data/mnist/images: byte "));
    }
  }
}

TEST_CASE("idx: messages name the byte, what was expected and what came") {
  CHECK(has(error_of(with(kImages, 2, 9), kLabels), "byte 0: expected the magic number 2051"));
  CHECK(has(error_of(kLabels, kLabels), "byte 0: expected the magic number 2051"));
  CHECK(has(error_of(kImages, kImages), "byte 0: expected the magic number 2049"));
  CHECK(has(error_of(with(kImages, 11, 0), kLabels), "byte 8: expected a dimension"));
  CHECK(has(error_of(with(kImages, 12, 255), kLabels), "byte 12: expected a dimension"));
  CHECK(has(error_of(kImages, with(kLabels, 9, 3)), "byte 9: expected a label below 3, got 3"));
  CHECK(
      has(error_of(kImages, with(kLabels, 10, 255)), "byte 10: expected a label below 3, got 255"));
}

TEST_CASE("idx: dimensions whose product overflows 64 bits are refused") {
  const DatasetFile huge =
      file_of({0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255});
  CHECK(has(error_of(huge, kLabels), "byte 4: expected a dimension"));
  // 2^22 * 2^21 * 2^21 = 2^64, which is 0 in 64 bits
  const DatasetFile wraps = file_of({0, 0, 8, 3, 0, 64, 0, 0, 0, 32, 0, 0, 0, 32, 0, 0});
  CHECK(has(error_of(wraps, kLabels), "byte 8: expected a dimension"));
}

TEST_CASE("idx: as many labels as images") {
  const DatasetFile two = file_of({0, 0, 8, 1, 0, 0, 0, 2, 2, 0}, "data/mnist/labels");
  const std::string error = error_of(kImages, two);
  CHECK(has(error, "data/mnist/images holds 3 images, but data/mnist/labels 2 labels"));
}

}  // namespace
}  // namespace octet
