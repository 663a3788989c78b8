#include "base/half.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace octet {

TEST_CASE("half: every value is a float and comes back") {
  for (std::uint32_t h = 0; h < 65536; ++h) {
    const auto half = static_cast<std::uint16_t>(h);
    const float value = float_from_half(half);
    if (std::isnan(value)) {
      CHECK((h & 0x7c00) == 0x7c00);
      CHECK(std::isnan(float_from_half(half_from_float(value))));
    } else {
      CHECK(half_from_float(value) == half);
    }
  }
  CHECK(float_from_half(0x3c00) == 1.0f);
  CHECK(float_from_half(0xc000) == -2.0f);
  CHECK(float_from_half(0x7bff) == 65504.0f);
  CHECK(float_from_half(0x0001) == 0x1p-24f);
  CHECK(std::signbit(float_from_half(0x8000)));
  CHECK(float_from_half(0xfc00) == -std::numeric_limits<float>::infinity());
}

TEST_CASE("half: what lies between two values goes to the nearer one, ties to the even one") {
  for (std::uint32_t h = 0; h < 0x7c00; ++h) {  // all neighbours of finite magnitude
    const auto low = static_cast<std::uint16_t>(h), high = static_cast<std::uint16_t>(h + 1);
    const float a = float_from_half(low), b = h == 0x7bff ? 65536.0f : float_from_half(high);
    const float middle = a + (b - a) / 2;  // exact
    const std::uint16_t even = h % 2 == 0 ? low : high;
    CHECK(half_from_float(middle) == even);
    CHECK(half_from_float(-middle) == (even | 0x8000));
    CHECK(half_from_float(std::nextafter(middle, 0.0f)) == low);
    CHECK(half_from_float(std::nextafter(middle, 1e9f)) == high);
  }
  CHECK(half_from_float(1e30f) == 0x7c00);
  CHECK(half_from_float(-std::numeric_limits<float>::infinity()) == 0xfc00);
  CHECK(half_from_float(1e-30f) == 0);
}

}  // namespace octet
