#include "kernels/qspec.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace octet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// +-[1, 2) 2^e for a random e in [low, high).
float random_float(Rng& rng, int low, int high) {
  const int exponent = low + static_cast<int>(rng.below(static_cast<std::uint32_t>(high - low)));
  const float sign = rng.below(2) == 0 ? 1.0f : -1.0f;
  return std::ldexp(sign * (1.0f + rng.uniform()), exponent);
}

}  // namespace

TEST_CASE("quantize_one: golden codes, half up, clamped before the cast, eq. (2)") {
  struct Case {
    float x;
    std::int32_t zero_point;
    QRange range;
    std::int32_t code;
  };
  for (const Case& c : {
           Case{0.0f, 0, kActivationRange, 0},
           Case{-0.0f, 7, kActivationRange, 7},
           Case{0.5f, 0, kActivationRange, 1},  // ties go up
           Case{1.5f, 0, kActivationRange, 2},
           Case{-0.5f, 10, kActivationRange, 10},
           Case{-1.5f, 10, kActivationRange, 9},
           Case{0.49f, 10, kActivationRange, 10},
           Case{-0.51f, 10, kActivationRange, 9},
           Case{0.49999997f, 0, kActivationRange, 1},  // + 0.5f rounds to 1
           Case{254.49f, 0, kActivationRange, 254},
           Case{255.5f, 0, kActivationRange, 255},
           Case{-1.0f, 0, kActivationRange, 0},
           Case{-300.0f, 255, kActivationRange, 0},
           Case{0.4f, 255, kActivationRange, 255},
           Case{FLT_MAX, 0, kActivationRange, 255},
           Case{-FLT_MAX, 255, kActivationRange, 0},
           Case{kInfinity, 0, kActivationRange, 255},
           Case{-kInfinity, 128, kActivationRange, 0},
           Case{kNan, 128, kActivationRange, 0},
           Case{126.5f, 0, kWeightRange, 127},
           Case{-127.5f, 0, kWeightRange, -127},
           Case{-128.0f, 0, kWeightRange, -127},
           Case{kInfinity, 0, kWeightRange, 127},
           Case{kNan, 0, kWeightRange, -127},
       }) {
    CAPTURE(c.x);
    CAPTURE(c.zero_point);
    CHECK(quantize_one(c.x, 1.0f, c.zero_point, c.range) == c.code);
  }
}

TEST_CASE("quantize_one and dequantize_one: every code comes back, for any scale") {
  Rng rng(1, RngPurpose::kTest);
  for (int i = 0; i < 200; ++i) {
    const float scale = std::fabs(random_float(rng, -100, 100));
    const QParams q{scale, static_cast<std::int32_t>(rng.below(256))};
    int wrong = 0;
    for (std::int32_t code = 0; code <= 255; ++code) {
      wrong += quantize_one(dequantize_one(code, q), 1.0f / q.scale, q.zero_point,
                            kActivationRange) != code;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("choose_qparams: golden ranges, eq. (3)") {
  struct Case {
    float min, max, scale;
    std::int32_t zero_point;
  };
  for (const Case& c : {
           Case{0.0f, 255.0f, 1.0f, 0},
           Case{0.0f, 0.0f, 1.0f, 0},  // no width
           Case{-1.0f, 2.984375f, 0x1p-6f, 64},
           Case{-127.5f, 127.5f, 1.0f, 128},  // the tie goes up
           Case{3.0f, 510.0f, 2.0f, 0},       // widened to contain 0
           Case{-510.0f, -3.0f, 2.0f, 255},
           Case{-1.0f, 254.0f, 1.0f, 1},
           Case{-1e-6f, 255.0f, 1.0f, 0},
       }) {
    CAPTURE(c.min);
    CAPTURE(c.max);
    CHECK(choose_qparams(c.min, c.max, kActivationRange) == QParams{c.scale, c.zero_point});
  }
  CHECK(choose_qparams(-FLT_MAX, FLT_MAX, kActivationRange).scale > 2e36f);
  CHECK(choose_qparams(0.0f, 0.0f, kWeightRange) == QParams{1.0f, -127});
}

TEST_CASE("choose_qparams: real 0 is exact and every number of the range is half a step away") {
  Rng rng(2, RngPurpose::kTest);
  for (int i = 0; i < 300; ++i) {
    const float unit = std::fabs(random_float(rng, -30, 30));
    const float min = i % 3 == 0 ? 0.0f : -unit * rng.uniform();
    const float max = unit * rng.uniform();
    const QParams q = choose_qparams(min, max, kActivationRange);
    REQUIRE(q.zero_point >= 0);
    REQUIRE(q.zero_point <= 255);
    CHECK(dequantize_one(q.zero_point, q) == 0.0f);
    CHECK(quantize_one(0.0f, 1.0f / q.scale, q.zero_point, kActivationRange) == q.zero_point);
    for (int j = 0; j < 50; ++j) {
      const float x = min + (max - min) * rng.uniform();
      const auto code = quantize_one(x, 1.0f / q.scale, q.zero_point, kActivationRange);
      // Half a step, and as much again at the ends, where rounding Z may have moved the range.
      const bool inner = code > 0 && code < 255;
      CHECK(std::fabs(dequantize_one(code, q) - x) <= q.scale * (inner ? 0.5001f : 1.0001f));
    }
  }
}

TEST_CASE("choose_qparams: what is not a usable range is an error") {
  CHECK_THROWS_AS(choose_qparams(kNan, 1.0f, kActivationRange), Error);
  CHECK_THROWS_AS(choose_qparams(0.0f, kInfinity, kActivationRange), Error);
  CHECK_THROWS_AS(choose_qparams(-kInfinity, 0.0f, kActivationRange), Error);
  CHECK_THROWS_AS(choose_qparams(1.0f, -1.0f, kActivationRange), Error);
  CHECK_THROWS_AS(choose_qparams(0.0f, 1e-40f, kActivationRange), Error);
}

TEST_CASE("choose_symmetric_scale: golden magnitudes, eq. (4)") {
  CHECK(choose_symmetric_scale(127.0f, kWeightRange) == 1.0f);
  CHECK(choose_symmetric_scale(0.9921875f, kWeightRange) == 0x1p-7f);
  CHECK(choose_symmetric_scale(0.0f, kWeightRange) == 1.0f);
  CHECK(choose_symmetric_scale(1e-42f, kWeightRange) == 1.0f);  // too small for a normal scale
  CHECK(choose_symmetric_scale(FLT_MAX, kWeightRange) == FLT_MAX / 127.0f);
  CHECK_THROWS_AS(choose_symmetric_scale(-1.0f, kWeightRange), Error);
  CHECK_THROWS_AS(choose_symmetric_scale(kNan, kWeightRange), Error);
  CHECK_THROWS_AS(choose_symmetric_scale(kInfinity, kWeightRange), Error);
}

TEST_CASE("make_requant: golden ratios, eq. (8)") {
  struct Case {
    double ratio;
    std::int32_t multiplier, shift;
  };
  for (const Case& c : {
           Case{0.25, 1 << 30, 0},
           Case{0.125, 1 << 29, 0},
           Case{0.4999999998, 2147483647, 0},  // 2147483647.14
           Case{0.4999999999, 1 << 30, 1},     // 2147483647.57 rounds to 2^31
           Case{std::nextafter(0.5, 0.0), 1 << 30, 1},
           Case{0.5, 1 << 30, 1},
           Case{0.75, 1610612736, 1},
           Case{std::nextafter(1.0, 0.0), 1 << 30, 2},  // reaches 2^31 at shift 1
           Case{1.0, 1 << 30, 2},
           Case{64.0, 1 << 30, 8},
           Case{0x1p28, 1 << 30, 30},
           Case{0x1p29 - 0.25, 2147483647, 30},
           Case{0x1p-32, 1, 0},
           Case{0x1p-33, 1, 0},  // half away from zero
           Case{0x1p-34, 0, 0},
           Case{1e-300, 0, 0},
           Case{5e-324, 0, 0},
       }) {
    CAPTURE(c.ratio);
    const Requant r = make_requant(c.ratio);
    CHECK(r.multiplier == c.multiplier);
    CHECK(r.shift == c.shift);
  }
  for (const double ratio :
       {0.0, -0.0, -1.0, 0x1p29, 0x1p29 - 0.125, 1e300, std::numeric_limits<double>::infinity(),
        std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(make_requant(ratio), Error);
  }
}

TEST_CASE("make_requant: the ratio is kept to half a unit of 2^(shift - 32)") {
  Rng rng(3, RngPurpose::kTest);
  for (int i = 0; i < 3000; ++i) {
    const double ratio = std::fabs(double{random_float(rng, -32, 29)}) * 0.999;
    const Requant r = make_requant(ratio);
    const long double kept = std::ldexp(static_cast<long double>(r.multiplier), r.shift - 32);
    REQUIRE(std::fabs(kept - static_cast<long double>(ratio)) <= std::ldexp(0.5L, r.shift - 32));
    REQUIRE(r.shift >= 0);
    REQUIRE(r.shift <= 30);
    if (r.shift > 0) REQUIRE(r.multiplier >= 1 << 30);
  }
}

TEST_CASE("make_add_params: golden ratios and limits, eq. (11)") {
  struct Case {
    float a, b;  // ratios to an output scale of 1
    std::int32_t multiplier_a, multiplier_b, shift;
  };
  for (const Case& c : {
           Case{1.0f, 1.0f, 16384, 16384, 14},
           Case{0.5f, 0.25f, 16384, 8192, 15},
           Case{0.99998f, 0.5f, 32767, 16384, 15},
           Case{0x1p-6f, 0x1p-7f, 16384, 8192, 20},
           Case{0x1p-10f, 0x1p-10f, 1024, 1024, 20},  // never more than 20
           Case{0x1p-30f, 3.0f, 0, 24576, 13},
           Case{16383.5f, 1.0f, 32767, 2, 1},
       }) {
    CAPTURE(c.a);
    CAPTURE(c.b);
    const AddParams p = make_add_params({c.a, 3}, {c.b, 200}, {1.0f, 7});
    CHECK(p == AddParams{c.multiplier_a, c.multiplier_b, c.shift,
                         -3 * c.multiplier_a - 200 * c.multiplier_b});
    CHECK(make_add_params({c.b, 0}, {c.a, 0}, {1.0f, 0}).multiplier_b == c.multiplier_a);
  }
  CHECK_THROWS_AS(make_add_params({16383.75f, 0}, {1.0f, 0}, {1.0f, 0}), Error);
  CHECK_THROWS_AS(make_add_params({1.0f, 0}, {16384.0f, 0}, {1.0f, 0}), Error);
  CHECK_THROWS_AS(make_add_params({1e38f, 0}, {1.0f, 0}, {1e-37f, 0}), Error);
  CHECK_THROWS_AS(make_add_params({kNan, 0}, {1.0f, 0}, {1.0f, 0}), Error);
}

TEST_CASE("fit_weight_scale: raised only where the bias needs it, and then it fits, eq. (6)") {
  CHECK(fit_weight_scale(0.01f, 0.0f, 0.5f) == 0.01f);
  CHECK(fit_weight_scale(0.01f, -3.0f, 0.5f) == 0.01f);
  CHECK(fit_weight_scale(1e-12f, 1.0f, 1.0f) == 0x1p-30f);
  CHECK(fit_weight_scale(1e-12f, -2.0f, 0.5f) == 0x1p-28f);
  CHECK_THROWS_AS(fit_weight_scale(1.0f, FLT_MAX, 1e-37f), Error);
  CHECK_THROWS_AS(fit_weight_scale(1.0f, kNan, 1.0f), Error);
  Rng rng(6, RngPurpose::kTest);
  for (int i = 0; i < 2000; ++i) {
    const float bias = random_float(rng, -20, 20);
    const float input = std::fabs(random_float(rng, -20, 1));
    const float weight = fit_weight_scale(std::fabs(random_float(rng, -60, 1)), bias, input);
    REQUIRE(std::abs(std::int64_t{quantize_bias(bias, input, weight)}) <= (1 << 30) + 256);
  }
}

TEST_CASE("quantize_bias: half away from zero, and an error beyond int32, eq. (5)") {
  CHECK(quantize_bias(0.0f, 1.0f, 1.0f) == 0);
  CHECK(quantize_bias(0.5f, 1.0f, 1.0f) == 1);
  CHECK(quantize_bias(-0.5f, 1.0f, 1.0f) == -1);
  CHECK(quantize_bias(2.5f, 1.0f, 1.0f) == 3);
  CHECK(quantize_bias(0.1f, 0x1p-6f, 1.0f / 127.0f) == 813);  // 812.8
  CHECK(quantize_bias(2147483520.0f, 1.0f, 1.0f) == 2147483520);
  CHECK_THROWS_AS(quantize_bias(0x1p31f, 1.0f, 1.0f), Error);
  CHECK_THROWS_AS(quantize_bias(-0x1p31f, 1.0f, 1.0f), Error);
  CHECK_THROWS_AS(quantize_bias(kNan, 1.0f, 1.0f), Error);
  // The unit is (1 + x)(1 - x + x^2) = 1 + 2^-36: 2^31 - 1/32, which is below 2^31 and rounds to
  // it.
  CHECK_THROWS_AS(quantize_bias(0x1p31f, 1.0f + 0x1p-12f, 1.0f - 0x1p-12f + 0x1p-24f), Error);
}

// The worked example of docs/quantization.md, step by step.
TEST_CASE("worked example: a neuron with three inputs") {
  const QParams x = choose_qparams(-1.0f, 2.984375f, kActivationRange);
  CHECK(x == QParams{0.015625f, 64});
  const std::vector<float> real_x = {0.5f, -0.25f, 1.0f}, real_w = {1.0f, -0.6f, 0.3f};
  const float weight_scale = choose_symmetric_scale(1.0f, kWeightRange);
  std::vector<std::int32_t> a, w;
  for (int k = 0; k < 3; ++k) {
    const auto i = static_cast<std::size_t>(k);
    a.push_back(quantize_one(real_x[i], 1.0f / x.scale, x.zero_point, kActivationRange));
    w.push_back(quantize_one(real_w[i], 1.0f / weight_scale, 0, kWeightRange));
  }
  CHECK(a == std::vector<std::int32_t>{96, 48, 128});
  CHECK(w == std::vector<std::int32_t>{127, -76, 38});
  const std::int32_t bias = quantize_bias(0.1f, x.scale, weight_scale);
  CHECK(bias == 813);
  const std::int32_t folded = bias - x.zero_point * (w[0] + w[1] + w[2]);
  CHECK(folded == -4883);
  const std::int32_t acc = folded + a[0] * w[0] + a[1] * w[1] + a[2] * w[2];
  CHECK(acc == 8525);
  const QParams y = choose_qparams(0.0f, 4.0f, kActivationRange);
  CHECK(y.zero_point == 0);
  const Requant r = make_requant(requant_ratio(x.scale, weight_scale, y.scale));
  CHECK(r == Requant{33686534, 0});
  const std::int32_t code = requantize_one(acc, r, y.zero_point, 0, 255);
  CHECK(code == 67);
  CHECK(dequantize_one(code, y) == doctest::Approx(1.050980).epsilon(1e-6));  // float: 1.05
}

}  // namespace octet
