#include "data/normalize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/error.h"
#include "base/float_environment.h"

namespace octet {
namespace {

constexpr int kPixelValues = 256;

void check(const Normalization& n) {
  OCTET_CHECK(!n.mean.empty() && n.mean.size() == n.std.size(),
              "[normalization] mean and std need one value per channel each, got ", n.mean.size(),
              " and ", n.std.size());
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    OCTET_CHECK(std::isfinite(n.mean[c]) && std::isfinite(n.std[c]) && n.std[c] > 0.0f,
                "[normalization] mean must be finite and std finite and positive, got ", n.mean[c],
                " and ", n.std[c], " for channel ", c);
  }
}

float normalize_one(int pixel, float mean, float std) {
  return (static_cast<float>(pixel) / 255.0f - mean) / std;
}

bool equal_channels(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [&](float v) { return v == values[0]; });
}

}  // namespace

Normalization unit_normalization(int channels) {
  const auto c = static_cast<std::size_t>(channels);
  return {.mean = std::vector<float>(c, 0.0f), .std = std::vector<float>(c, 1.0f)};
}

Normalization centered_normalization(int channels) {
  const auto c = static_cast<std::size_t>(channels);
  return {.mean = std::vector<float>(c, 128.0f / 255.0f),
          .std = std::vector<float>(c, 64.0f / 255.0f)};
}

QParams input_qparams(const Normalization& n) {
  const FloatEnvironment environment;
  check(n);
  // 255 * mean is a whole number only up to the rounding of a mean such as 128/255 to float.
  const float zero_point = std::floor(255.0f * n.mean[0] + 0.5f);
  const bool whole = std::fabs(255.0f * n.mean[0] - zero_point) < 1e-3f;
  if (equal_channels(n.mean) && equal_channels(n.std) && whole && zero_point >= 0.0f &&
      zero_point <= 255.0f) {
    return {.scale = 1.0f / (255.0f * n.std[0]), .zero_point = static_cast<int>(zero_point)};
  }
  float low = 0.0f, high = 0.0f;
  for (std::size_t c = 0; c < n.mean.size(); ++c) {
    low = std::min(low, normalize_one(0, n.mean[c], n.std[c]));
    high = std::max(high, normalize_one(255, n.mean[c], n.std[c]));
  }
  return choose_qparams(low, high, kActivationRange);
}

std::vector<std::uint8_t> input_table(const Normalization& n) {
  const FloatEnvironment environment;
  const QParams q = input_qparams(n);
  std::vector<std::uint8_t> table;
  for (int p = 0; p < kPixelValues; ++p) {
    for (std::size_t c = 0; c < n.mean.size(); ++c) {
      const float x = normalize_one(p, n.mean[c], n.std[c]);
      table.push_back(static_cast<std::uint8_t>(
          quantize_one(x, 1.0f / q.scale, q.zero_point, kActivationRange)));
    }
  }
  return table;
}

bool is_identity(std::span<const std::uint8_t> table) {
  const std::size_t channels = table.size() / kPixelValues;
  OCTET_CHECK(channels > 0 && table.size() % kPixelValues == 0,
              "[normalization] an input table has 256 * C entries, got ", table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i] != i / channels) return false;
  }
  return true;
}

std::vector<float> value_table(const Normalization& n) {
  const FloatEnvironment environment;
  const QParams q = input_qparams(n);
  const bool identity = is_identity(input_table(n));
  std::vector<float> values;
  for (int p = 0; p < kPixelValues; ++p) {
    for (std::size_t c = 0; c < n.mean.size(); ++c) {
      values.push_back(identity ? dequantize_one(p, q) : normalize_one(p, n.mean[c], n.std[c]));
    }
  }
  return values;
}

}  // namespace octet
