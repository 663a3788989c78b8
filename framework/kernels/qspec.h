#pragma once

#include <cmath>
#include <cstdint>

#include "base/error.h"
#include "kernels/fixed_point.h"

// The arithmetic of quantization, written once. Training (fake_quantize), conversion, the scalar
// kernels and the twin all call these functions; SIMD kernels are tested against them with ==. What
// runs on integers alone (requantize_one, add_one, ...) stands in fixed_point.h; here is what turns
// real numbers into codes and parameters. Derivation and equation numbers: docs/quantization.md.
namespace octet {

// Affine quantization of a tensor: real = scale * (code - zero_point), eq. (1).
struct QParams {
  float scale = 1.0f;
  std::int32_t zero_point = 0;

  bool operator==(const QParams&) const = default;
};

// Range of codes. Activations: {0, 255}. Weights: {-127, 127}.
struct QRange {
  std::int32_t quant_min = 0;
  std::int32_t quant_max = 255;

  bool operator==(const QRange&) const = default;
};
inline constexpr QRange kActivationRange{0, 255};
inline constexpr QRange kWeightRange{-127, 127};

// Code of one real number, eq. (2): floor(x / scale + 1/2) + zero_point, clamped before the cast.
// `inv_scale` is 1.0f / scale. A NaN gives quant_min.
inline std::int32_t quantize_one(float x, float inv_scale, std::int32_t zero_point, QRange range) {
  const float low = static_cast<float>(range.quant_min), high = static_cast<float>(range.quant_max);
  const float code = std::floor(x * inv_scale + 0.5f) + static_cast<float>(zero_point);
  return static_cast<std::int32_t>(!(code > low) ? low : (code > high ? high : code));
}

// eq. (1)
inline float dequantize_one(std::int32_t code, QParams q) {
  return q.scale * static_cast<float>(code - q.zero_point);
}

// The asymmetric parameters of a range of real numbers, which is first widened to contain 0, eq.
// (3): real 0 is exactly representable. A range of width 0 gives scale 1.
//   Jacob et al. 2018 (arXiv:1712.05877), sec. 3.
// Throws Error if a bound is not finite, or if the range is too narrow or too wide for a finite,
// normal scale.
inline QParams choose_qparams(float min, float max, QRange range) {
  OCTET_CHECK(std::isfinite(min) && std::isfinite(max) && min <= max,
              "quantization needs a finite range, got [", min, ", ", max, "]");
  min = min < 0.0f ? min : 0.0f;
  max = max > 0.0f ? max : 0.0f;
  const float steps = static_cast<float>(range.quant_max - range.quant_min);
  QParams q;
  if (max == min) {
    q.zero_point = range.quant_min;
    return q;
  }
  q.scale = max / steps - min / steps;
  OCTET_CHECK(std::isnormal(q.scale) && std::isnormal(1.0f / q.scale), "the range [", min, ", ",
              max, "] gives an unusable scale ", q.scale);
  q.zero_point = quantize_one(-min, 1.0f / q.scale, range.quant_min, range);
  return q;
}

// The symmetric scale (zero_point 0) that maps the largest magnitude to quant_max, eq. (4); 1 for
// magnitude 0.
inline float choose_symmetric_scale(float magnitude, QRange range) {
  OCTET_CHECK(std::isfinite(magnitude) && magnitude >= 0.0f,
              "quantization needs a finite magnitude, got ", magnitude);
  const float scale = magnitude / static_cast<float>(range.quant_max);
  return std::isnormal(scale) && std::isnormal(1.0f / scale) ? scale : 1.0f;
}

// eq. (8): the smallest shift with R / 2^shift < 1/2, and R 2^(32 - shift) rounded to nearest.
// Throws Error unless 0 < R < 2^29 - 1/8 (from there on R rounds to 2^29, which has no shift).
inline Requant make_requant(double ratio) {
  OCTET_CHECK(ratio > 0.0 && ratio < 0x1p29 - 0.125,
              "requantization needs a ratio in (0, 2^29), got ", ratio);
  Requant r;
  while (std::ldexp(ratio, -r.shift) >= 0.5) ++r.shift;
  const long long m = std::llround(std::ldexp(ratio, 32 - r.shift));
  if (m == (1LL << 31)) {  // rounding reached 1/2: the same number with one more shift
    r.multiplier = 1 << 30;
    ++r.shift;
  } else {
    r.multiplier = static_cast<std::int32_t>(m);
  }
  return r;
}

// The ratio R of eq. (8) for a convolution or linear layer: S_x S_w[c] / S_y. In double, in this
// order.
inline double requant_ratio(float input_scale, float weight_scale, float output_scale) {
  return double{input_scale} * double{weight_scale} / double{output_scale};
}

// The same for average pooling, eq. (13): S_x / (S_y n) with n pixels in a window.
inline double average_ratio(float input_scale, float output_scale, std::int64_t n) {
  return double{input_scale} / (double{output_scale} * static_cast<double>(n));
}

// eq. (11): the largest shift up to 20 that keeps both factors below 2^15.
// Throws Error if a ratio S_a / S_y or S_b / S_y is 2^14 - 1/4 or more: no shift is left for it.
inline AddParams make_add_params(QParams a, QParams b, QParams y) {
  const double ratio_a = double{a.scale} / double{y.scale};
  const double ratio_b = double{b.scale} / double{y.scale};
  AddParams p;
  for (p.shift = 20; p.shift >= 1; --p.shift) {
    const double ma = std::round(std::ldexp(ratio_a, p.shift));
    const double mb = std::round(std::ldexp(ratio_b, p.shift));
    if (!(ma < 0x1p15 && mb < 0x1p15)) continue;
    p.multiplier_a = static_cast<std::int32_t>(ma);
    p.multiplier_b = static_cast<std::int32_t>(mb);
    p.offset = -a.zero_point * p.multiplier_a - b.zero_point * p.multiplier_b;
    return p;
  }
  throw Error(
      message("residual add needs operand scales below 2^14 times the output's, got ratios ",
              ratio_a, " and ", ratio_b));
}

// eq. (6): the weight scale of a channel, raised where its bias would not fit into 30 bits.
// Throws Error if that scale is not finite.
inline float fit_weight_scale(float weight_scale, float bias, float input_scale) {
  const float needed = std::fabs(bias) / (input_scale * 0x1p30f);
  OCTET_CHECK(std::isfinite(needed), "bias ", bias, " has no finite weight scale at input scale ",
              input_scale);
  return weight_scale > needed ? weight_scale : needed;
}

// eq. (5): bias in units of S_x S_w[c], rounded half away from zero.
// Throws Error if it does not fit into int32 (see fit_weight_scale).
inline std::int32_t quantize_bias(float bias, float input_scale, float weight_scale) {
  const double unit = double{input_scale} * double{weight_scale};
  const double code = std::round(double{bias} / unit);
  OCTET_CHECK(std::fabs(code) < 0x1p31, "bias ", bias, " does not fit into int32 at scale ", unit);
  return static_cast<std::int32_t>(code);
}

}  // namespace octet
