#include "datasets/image_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "data/normalize.h"
#include "datasets/list_images.h"
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
  CHECK(has(error_of(folder.path()), "test/dog/1.PNG: this is an empty file"));
}

TEST_CASE("image_folder: all images that cannot be used are in one message") {
  const TempFolder folder;
  write_pets(folder);
  folder.write("train/cat/0.png", {});  // the first of all, which would decide the shape
  folder.write("train/dog/2.PNG", encode_png(plain({9, 9, 3}, 1)));
  folder.write("test/dog/1.PNG", std::as_bytes(std::span("GIF89a")));
  const std::string error = error_of(folder.path());
  CAPTURE(error);
  CHECK(error.rfind("3 images cannot be used:\n", 0) == 0);
  CHECK(has(error, "train/cat/0.png: this is an empty file"));
  CHECK(has(error, "train/dog/2.PNG: expected shape [4, 6, 3]"));
  CHECK(has(error, "test/dog/1.PNG: this is a GIF image; convert it to PNG or JPEG"));
  for (int i = 0; i < 200; ++i) folder.write("test/cat/empty" + std::to_string(i) + ".png", {});
  const std::string many = error_of(folder.path());
  CHECK(many.rfind("203 images cannot be used:\n", 0) == 0);
  CHECK(has(many, "\n  and 103 more"));
}

TEST_CASE("image_folder: folders below a class are searched, what is left out is counted") {
  const TempFolder folder;
  write_pets(folder);
  // In torchvision's order: folder by folder, by the bytes of their paths, then name by name.
  const char* const names[] = {"a.png", "b/0.png", "b/c/1.png", "b-/2.jpeg", "z.png"};
  for (const char* name : names) {
    folder.write(std::string("train/dog/") + name, encode_png(plain({4, 6, 3}, 50)));
  }
  folder.write("train/dog/b/c/1.png", encode_png(plain({4, 6, 3}, 51)));
  folder.write("train/dog/b-/2.jpeg", encode_png(plain({4, 6, 3}, 52)));
  folder.write("train/dog/b/0.png", encode_png(plain({4, 6, 3}, 53)));
  for (const char* name : {"1.HEIC", "b/2.heic", "b/c/3.heif"}) {
    folder.write(std::string("train/dog/") + name, {});
  }
  folder.write("train/cat/.hidden/4.png", {});
  folder.write("train/cat/._5.png", {});
  folder.write("train/lonely.png", {});
  folder.write("test/cat/notes.txt", {});
  folder.write("test/cat/6.webp", {});
  std::filesystem::create_directory_symlink(".", folder.path() + "/test/cat/loop");

  const DatasetSplits splits = load_image_folder(folder.path());
  CHECK(splits.train->size() == 11);
  std::vector<int> dogs;
  for (std::int64_t i = 3; i < 11; ++i) dogs.push_back(splits.train->get(i).pixels[0]);
  CHECK(dogs == std::vector<int>{100, 101, 102, 50, 50, 53, 52, 51});
  CHECK(splits.test->size() == 6);

  const std::string text = to_text(splits.skipped);
  CAPTURE(text);
  CHECK(has(text, "3 HEIC (convert them to PNG or JPEG) such as "));
  CHECK(has(text, "2 hidden such as "));
  CHECK(has(text, "1 in no class folder such as \"" + folder.path() + "/train/lonely.png\""));
  CHECK(has(text, " of other kinds such as "));
  CHECK(has(text, " WebP (convert them to PNG or JPEG) such as "));
  CHECK(has(text, " links to a folder above them such as "));
  // eval reads the test images alone and is silent about the rest.
  CHECK_FALSE(has(to_text(load_image_folder(folder.path(), {}, Splits::kTest).skipped), "HEIC"));
}

TEST_CASE("image_folder: a class of unreadable formats alone says so, and which") {
  const TempFolder folder;
  write_pets(folder);
  folder.write("train/fish/1.heic", {});
  folder.write("train/fish/deep/2.heic", {});
  const std::string error = error_of(folder.path());
  CAPTURE(error);
  CHECK(has(error, "train/fish\" holds no .png, .jpg or .jpeg; skipped 2 files: 2 HEIC (convert"));
}

TEST_CASE("image_folder: a class whose name is not UTF-8 is refused before an image is read") {
  const TempFolder folder;
  write_pets(folder);
  folder.write("train/caf\xc3\xa9/0.png", encode_png(plain({4, 6, 3}, 1)));
  CHECK(error_of(folder.path()) == "");
  folder.write("train/caf\xe9/0.png", {});
  const std::string error = error_of(folder.path());
  CAPTURE(error);
  CHECK(has(error, "is not UTF-8 text, and a model file could not hold it; rename the folder"));
}

}  // namespace
}  // namespace octet
