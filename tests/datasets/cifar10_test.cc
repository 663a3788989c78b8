#include "datasets/cifar10.h"

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"
#include "base/parallel.h"
#include "data/normalize.h"
#include "tests/datasets/temp_folder.h"
#include "tests/text.h"

namespace octet {
namespace {

using testing::has;

constexpr std::size_t kRecord = 3073;

// Three records with labels 9, 0, 5; the pixel (y, x, c) of record i is i + 3 y + 5 x + 7 c.
DatasetFile three_records() {
  DatasetFile file{"data/cifar10/x.bin", {}, "fetch it again"};
  for (int i = 0; i < 3; ++i) {
    const int labels[] = {9, 0, 5};
    file.bytes.push_back(static_cast<std::byte>(labels[i]));
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < 32; ++y) {
        for (int x = 0; x < 32; ++x) {
          file.bytes.push_back(static_cast<std::byte>(i + 3 * y + 5 * x + 7 * c));
        }
      }
    }
  }
  return file;
}

std::string error_of(const DatasetFile& file) {
  try {
    parse_cifar10({file});
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST_CASE("cifar10: planes become interleaved channels, files follow each other") {
  const auto dataset = parse_cifar10({three_records(), three_records()});
  CHECK(dataset->size() == 6);
  CHECK(dataset->image_shape() == Shape{32, 32, 3});
  CHECK(dataset->class_names()[9] == "truck");
  const std::int32_t labels[] = {9, 0, 5, 9, 0, 5};
  for (int i = 0; i < 6; ++i) {
    const Sample sample = dataset->get(i);
    CHECK(sample.label == labels[i]);
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x) {
        for (int c = 0; c < 3; ++c) {
          const auto at = static_cast<std::size_t>((y * 32 + x) * 3 + c);
          REQUIRE(sample.pixels[at] == static_cast<std::uint8_t>(i % 3 + 3 * y + 5 * x + 7 * c));
        }
      }
    }
  }
}

TEST_CASE("cifar10: a file that is not whole records is an error, at every byte") {
  const DatasetFile file = three_records();
  for (std::size_t size = 0; size < file.bytes.size(); ++size) {
    if (size > 0 && size % kRecord == 0) continue;  // whole records: the SHA-256 finds those
    DatasetFile cut = file;
    cut.bytes.resize(size);
    REQUIRE(has(error_of(cut), "data/cifar10/x.bin: byte " + std::to_string(size)));
  }
}

TEST_CASE("cifar10: a label of 10 or more is an error that names its byte") {
  for (const std::size_t record : {0, 1, 2}) {
    DatasetFile file = three_records();
    file.bytes[record * kRecord] = std::byte{10};
    const std::string error = error_of(file);
    CAPTURE(error);
    CHECK(has(error, "byte " + std::to_string(record * kRecord) + ": expected a label below 10"));
    CHECK(has(error, "fetch it again"));
  }
}

TEST_CASE("cifar10: of the test set alone no other file is read") {
  const testing::TempFolder folder;
  folder.write("cifar10/test_batch.bin", three_records().bytes);
  const DatasetSplits splits = load_cifar10(folder.path(), Splits::kTest, Checksums::kSkip);
  CHECK(splits.train == nullptr);
  CHECK(splits.test->size() == 3);
  CHECK_THROWS_AS(load_cifar10(folder.path(), Splits::kAll, Checksums::kSkip), Error);
}

TEST_CASE("cifar10: reads its folder, and only the published files unless told otherwise") {
  const testing::TempFolder folder;
  for (const char* name : {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                           "data_batch_5", "test_batch"}) {
    folder.write(std::string("cifar10/") + name + ".bin", three_records().bytes);
  }
  const DatasetSplits splits = load_cifar10(folder.path(), Splits::kAll, Checksums::kSkip);
  CHECK(splits.train->size() == 15);
  CHECK(splits.test->size() == 3);
  CHECK(is_identity(input_table(splits.normalization)));
  CHECK(input_qparams(splits.normalization) == QParams{0x1p-6f, 128});
  try {
    load_cifar10(folder.path());
    FAIL("files of nobody were accepted");
  } catch (const Error& e) {
    CHECK(has(e.what(), "data_batch_1.bin is not the published file"));
    CHECK(has(e.what(), "datasets/fetch.sh cifar10 --root " + folder.path()));
  }
}

}  // namespace
}  // namespace octet
