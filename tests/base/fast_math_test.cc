#include "base/fast_math.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace octet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// |got - exact| in units of the spacing of floats at `exact`.
double ulps(float got, double exact) {
  const float near = static_cast<float>(std::fabs(exact));
  const double spacing = double{std::nextafterf(near, kInfinity)} - double{near};
  return std::fabs(double{got} - exact) / spacing;
}

TEST_CASE("exp_f32 is within 0.51 ulp of libm in double, subnormal results included") {
  double worst = 0.0;
  for (float x = -103.0f; x < 88.7f; x += 0.0037f) {
    worst = std::max(worst, ulps(exp_f32(x), std::exp(double{x})));
  }
  for (float x = 1e-12f; x < 1.0f; x *= 1.01f) {
    worst = std::max(
        {worst, ulps(exp_f32(x), std::exp(double{x})), ulps(exp_f32(-x), std::exp(-double{x}))});
  }
  CHECK(worst < 0.51);
}

TEST_CASE("exp_f32: special values") {
  CHECK(exp_f32(0.0f) == 1.0f);
  CHECK(exp_f32(-0.0f) == 1.0f);
  CHECK(exp_f32(-kInfinity) == 0.0f);
  CHECK(exp_f32(-105.0f) == 0.0f);
  CHECK(exp_f32(88.8f) == kInfinity);
  CHECK(exp_f32(kInfinity) == kInfinity);
  CHECK(std::isnan(exp_f32(std::nanf(""))));
}

TEST_CASE("log_f32 is within 0.51 ulp of libm in double, over all exponents and next to 1") {
  double worst = 0.0;
  for (std::uint32_t bits = 1; bits < 0x7F800000u; bits += 7919) {
    const float x = std::bit_cast<float>(bits);
    worst = std::max(worst, ulps(log_f32(x), std::log(double{x})));
  }
  for (std::uint32_t bits = 0x3F7F0000u; bits < 0x3F810000u; bits += 3) {  // 1 +- 0.4%
    const float x = std::bit_cast<float>(bits);
    if (x != 1.0f) worst = std::max(worst, ulps(log_f32(x), std::log(double{x})));
  }
  CHECK(worst < 0.51);
}

TEST_CASE("log_f32: special values") {
  CHECK(log_f32(1.0f) == 0.0f);
  CHECK(log_f32(0.0f) == -kInfinity);
  CHECK(log_f32(kInfinity) == kInfinity);
  CHECK(std::isnan(log_f32(-1.0f)));
  CHECK(std::isnan(log_f32(std::nanf(""))));
}

TEST_CASE("cos_pi is within 2e-15 of libm, and exact where the schedule starts and ends") {
  double worst = 0.0;
  for (int i = 0; i <= 10000; ++i) {
    const double t = i / 10000.0;
    worst = std::max(worst, std::fabs(cos_pi(t) - std::cos(3.141592653589793 * t)));
  }
  CHECK(worst < 2e-15);
  CHECK(cos_pi(0.0) == 1.0);
  CHECK(cos_pi(0.5) == 0.0);
  CHECK(cos_pi(1.0) == -1.0);
}

// Pins the bits: a compiler or flag that contracts or reorders would change them.
TEST_CASE("fast_math: the bits of one sweep") {
  std::uint64_t hash = 14695981039346656037u;
  const auto mix = [&hash](std::uint64_t word) { hash = (hash ^ word) * 1099511628211u; };
  for (int i = 0; i < 20000; ++i) {
    const float x = static_cast<float>(i) * 0.0097f - 104.0f;
    mix(std::bit_cast<std::uint32_t>(exp_f32(x)));
    mix(std::bit_cast<std::uint32_t>(log_f32(x + 105.0f)));
    mix(std::bit_cast<std::uint64_t>(cos_pi(i / 20000.0)));
  }
  CHECK(hash == 3532912467394779083u);
}

}  // namespace
}  // namespace octet
