#include "eval/load_data.h"

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"

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

}  // namespace
}  // namespace octet
