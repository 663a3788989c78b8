#include "datasets/image_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "base/parallel.h"
#include "data/normalize.h"
#include "tests/datasets/encode_image.h"
#include "tests/datasets/temp_folder.h"
#include "tests/text.h"

namespace octet {
namespace {

using testing::encode_png;
using testing::has;
using testing::TempFolder;

Image plain(const Shape& shape, std::uint8_t value) {
  return {shape, std::vector<std::uint8_t>(static_cast<std::size_t>(shape.numel()), value)};
}

// Two classes; cats are 10 + i, dogs 100 + i.
void write_pets(const TempFolder& folder) {
  for (const std::string split : {"train", "test"}) {
    for (int i = 0; i < 3; ++i) {
      const std::string name = std::to_string(i);
      const auto shade = static_cast<std::uint8_t>(i);
      folder.write(split + "/cat/" + name + ".png", encode_png(plain({4, 6, 3}, 10 + shade)));
      folder.write(split + "/dog/" + name + ".PNG", encode_png(plain({4, 6, 3}, 100 + shade)));
    }
  }
}

std::string error_of(const std::string& root, const Shape& shape = {}) {
  try {
    load_image_folder(root, shape);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST_CASE("image_folder: classes and files in alphabetical order, other files passed over") {
  const TempFolder folder;
  write_pets(folder);
  folder.write("train/cat/notes.txt", {});
  folder.write("train/cat/.hidden.png", {});
  folder.write("train/readme.md", {});
  const int before = num_threads();
  std::string hash;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    const DatasetSplits splits = load_image_folder(folder.path());
    CHECK(splits.train->class_names() == std::vector<std::string>{"cat", "dog"});
    CHECK(splits.train->size() == 6);
    CHECK(splits.train->image_shape() == Shape{4, 6, 3});
    for (std::int64_t i = 0; i < 6; ++i) {
      CHECK(splits.train->get(i).label == i / 3);
      CHECK(splits.train->get(i).pixels[71] == (i < 3 ? 10 + i : 97 + i));
    }
    CHECK(is_identity(input_table(splits.normalization)));
    CHECK((hash.empty() || hash == splits.train->sha256()));
    hash = splits.train->sha256();
  }
  set_num_threads(before);
}

TEST_CASE("image_folder: a shape converts sizes and channels, without one they must agree") {
  const TempFolder folder;
  write_pets(folder);
  folder.write("train/dog/9.png", encode_png(plain({9, 9, 1}, 50)));
  const std::string error = error_of(folder.path());
  CAPTURE(error);
  CHECK(has(error, "train/dog/9.png: expected shape [4, 6, 3]"));
  CHECK(has(error, "got [9, 9, 1]"));
  for (const Shape& shape : {Shape{8, 8, 3}, Shape{2, 3, 1}}) {
    const DatasetSplits splits = load_image_folder(folder.path(), shape);
    CHECK(splits.test->image_shape() == shape);
    const Sample last = splits.train->get(6);
    CHECK(last.label == 1);
    CHECK(std::count(last.pixels.begin(), last.pixels.end(), 50) == shape.numel());
  }
  CHECK_THROWS_AS(load_image_folder(folder.path(), {8, 8}), UsageError);
  CHECK_THROWS_AS(load_image_folder(folder.path(), {8, 8, 2}), UsageError);
  CHECK_THROWS_AS(load_image_folder(folder.path(), {0, 8, 3}), UsageError);
  CHECK_THROWS_AS(load_image_folder(folder.path(), {8, 20000, 3}), UsageError);
}

TEST_CASE("image_folder: what is missing or damaged is named") {
  const TempFolder folder;
  CHECK(has(error_of(folder.path()), folder.path() + "/train"));
  folder.write("train/readme.md", {});
  CHECK(has(error_of(folder.path()), "/train\" holds no folder per class"));
  write_pets(folder);
  CHECK(error_of(folder.path()) == "");

  folder.write("test/bird/1.png", encode_png(plain({4, 6, 3}, 1)));
  CHECK(has(error_of(folder.path()), "test/bird\": there is no such class in train"));
  std::filesystem::remove_all(folder.path() + "/test/bird");

  std::filesystem::create_directory(folder.path() + "/train/fish");
  CHECK(has(error_of(folder.path()), "train/fish\" holds no .png"));
  std::filesystem::remove_all(folder.path() + "/train/fish");

  std::vector<std::byte> cut = encode_png(plain({4, 6, 3}, 1));
  cut.resize(cut.size() / 2);
  folder.write("test/dog/1.PNG", cut);
  CHECK(has(error_of(folder.path()), "test/dog/1.PNG: the image is damaged"));
  folder.write("test/dog/1.PNG", {});
  CHECK(has(error_of(folder.path()), "test/dog/1.PNG: this is not a PNG or JPEG"));
}

}  // namespace
}  // namespace octet
