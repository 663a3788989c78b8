#include "data/normalize.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/error.h"

namespace octet {
namespace {

TEST_CASE("normalize: the default normalizations make pixels their own codes, exactly") {
  struct Case {
    Normalization normalization;
    QParams qparams;
  };
  const Case cases[] = {{unit_normalization(1), {1.0f / 255.0f, 0}},
                        {centered_normalization(1), {0x1p-6f, 128}},
                        {centered_normalization(3), {0x1p-6f, 128}}};
  for (const Case& c : cases) {
    const std::size_t channels = c.normalization.mean.size();
    CAPTURE(channels);
    CHECK(input_qparams(c.normalization) == c.qparams);
    CHECK(is_identity(input_table(c.normalization)));
    const std::vector<float> values = value_table(c.normalization);
    REQUIRE(values.size() == 256 * channels);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int pixel = static_cast<int>(i / channels);
      CHECK(values[i] == dequantize_one(pixel, c.qparams));
      const float x =
          (static_cast<float>(pixel) / 255.0f - c.normalization.mean[0]) / c.normalization.std[0];
      CHECK(std::fabs(values[i] - x) < 1e-5f);
    }
  }
}

TEST_CASE("normalize: channels of their own get one scale that covers them, and a table") {
  const Normalization n = {.mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
  const QParams q = input_qparams(n);
  const std::vector<std::uint8_t> table = input_table(n);
  const std::vector<float> values = value_table(n);
  REQUIRE(table.size() == 768);
  CHECK_FALSE(is_identity(table));
  for (std::size_t p = 0; p < 256; ++p) {
    for (std::size_t c = 0; c < 3; ++c) {
      const std::size_t i = p * 3 + c;
      CHECK(values[i] == (static_cast<float>(p) / 255.0f - n.mean[c]) / n.std[c]);
      CHECK(table[i] == quantize_one(values[i], 1.0f / q.scale, q.zero_point, kActivationRange));
      // nothing is clipped by more than rounding
      CHECK(std::fabs(dequantize_one(table[i], q) - values[i]) <= q.scale * 1.01f);
    }
  }
}

TEST_CASE("normalize: the table is an identity only if every channel is") {
  Normalization n = centered_normalization(2);
  n.std[1] *= 0.5f;
  const std::vector<std::uint8_t> table = input_table(n);
  CHECK_FALSE(is_identity(table));
}

TEST_CASE("normalize: rejects what is not a normalization") {
  CHECK_THROWS_AS(input_qparams({}), Error);
  CHECK_THROWS_AS(input_qparams({.mean = {0.0f}, .std = {}}), Error);
  CHECK_THROWS_AS(input_table({.mean = {0.0f}, .std = {0.0f}}), Error);
  CHECK_THROWS_AS(value_table({.mean = {0.0f}, .std = {-1.0f}}), Error);
  CHECK_THROWS_AS(value_table({.mean = {NAN}, .std = {1.0f}}), Error);
  CHECK_THROWS_AS(is_identity({}), Error);
  CHECK_THROWS_AS(is_identity(std::vector<std::uint8_t>(300)), Error);
}

}  // namespace
}  // namespace octet
