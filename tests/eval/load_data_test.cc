#include "eval/load_data.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/in_memory.h"

namespace octet {
namespace {

std::string refusal(const DataConfig& data) {
  try {
    load_or_fetch(data);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("load_data: data.mean and data.std take the place of the dataset's normalization") {
  DataConfig data;
  data.name = "mnist_sample";
  CHECK(load_or_fetch(data).normalization.std == std::vector<float>{1.0f});
  data.mean = {0.1307};
  data.std = {0.3081};
  const Normalization n = load_or_fetch(data).normalization;
  CHECK(n.mean == std::vector<float>{0.1307f});
  CHECK(n.std == std::vector<float>{0.3081f});
  // What the integer graph sees follows: 256 pixels on one scale, black at -mean / std.
  const qat::InputEncoding input = input_encoding(n);
  CHECK(input.qparams.scale == doctest::Approx(1.0 / 0.3081 / 255.0));
  CHECK(input.qparams.zero_point == 33);
  CHECK(input.table.front() == 0);
  CHECK(input.table.back() == 255);
}

TEST_CASE("load_data: a normalization that does not fit is an error that names the key") {
  const auto with = [](std::vector<double> mean, std::vector<double> std) {
    DataConfig data;
    data.name = "mnist_sample";
    data.mean = std::move(mean);
    data.std = std::move(std);
    return refusal(data);
  };
  CHECK(with({}, {}) == "");
  CHECK(with({0.5, 0.5, 0.5}, {1, 1, 1}) ==
        "data.mean has 3 numbers, the images of mnist_sample have 1 channels; it needs one for "
        "each");
  CHECK(with({0.5}, {1, 1}).rfind("data.std has 2 numbers", 0) == 0);
  CHECK(with({0.5}, {}) ==
        "data.std is missing: data.mean is given, and a normalization needs both");
  CHECK(with({}, {1}).rfind("data.mean is missing", 0) == 0);
}

// Image i of `size` has the pixel i; the labels ascend, as those of a folder do.
std::shared_ptr<const Dataset> class_by_class(int size) {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < size; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(i));
    labels.push_back(2 * i < size ? 0 : 1);
  }
  return std::make_shared<InMemoryDataset>(Shape{1, 1, 1}, pixels, labels,
                                           std::vector<std::string>{"cat", "dog"});
}

TEST_CASE("load_data: of an image_folder some images are spread evenly, of others the first") {
  const auto chosen = [](const std::string& dataset, int size, std::int64_t count) {
    const auto some = some_images(class_by_class(size), dataset, count);
    std::vector<int> numbers;
    for (std::int64_t i = 0; i < some->size(); ++i) numbers.push_back(some->get(i).pixels[0]);
    return numbers;
  };
  CHECK(chosen("image_folder", 10, 4) == std::vector<int>{0, 2, 5, 7});  // floor(i * 10 / 4)
  CHECK(chosen("image_folder", 10, 2) == std::vector<int>{0, 5});        // one of each class
  CHECK(chosen("image_folder", 3, 2) == std::vector<int>{0, 1});
  for (const char* dataset : {"mnist", "fashion_mnist", "cifar10", "mnist_sample"}) {
    CHECK(chosen(dataset, 10, 4) == std::vector<int>{0, 1, 2, 3});
  }
  for (const char* dataset : {"mnist", "image_folder"}) {
    CHECK(chosen(dataset, 3, 3) == std::vector<int>{0, 1, 2});
    CHECK(chosen(dataset, 3, 100) == std::vector<int>{0, 1, 2});
  }
}

}  // namespace
}  // namespace octet
