#include "kernels/fixed_point.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "kernels/qspec.h"

namespace octet {
namespace {

using Wide = __int128;

Wide clamp_wide(Wide value, Wide low, Wide high) {
  return value < low ? low : (value > high ? high : value);
}

// floor(acc * multiplier * 2^(shift - 32) + 1/2), without any limit on sizes.
Wide round_product(std::int32_t acc, Requant r) {
  return (Wide{acc} * r.multiplier * (Wide{1} << r.shift) + (Wide{1} << 31)) >> 32;
}

std::vector<std::int32_t> interesting_accumulators(std::uint64_t seed) {
  std::vector<std::int32_t> result = {INT32_MIN, INT32_MIN + 1, INT32_MAX - 1, INT32_MAX};
  for (std::int32_t acc = -600; acc <= 600; ++acc) result.push_back(acc);
  for (int bit = 10; bit <= 30; ++bit) {
    for (int d = -1; d <= 1; ++d) {
      result.push_back((1 << bit) + d);
      result.push_back(-(1 << bit) + d);
    }
  }
  Rng rng(seed, RngPurpose::kTest);
  for (int i = 0; i < 300; ++i) {
    result.push_back(static_cast<std::int32_t>(rng.next()) >> rng.below(32));
  }
  return result;
}

}  // namespace

TEST_CASE("requantize_one: golden values, ties half up for both signs, eq. (9)") {
  struct Case {
    std::int32_t acc;
    double ratio;
    std::int32_t zero_point, code;
  };
  for (const Case& c : {
           Case{0, 0.25, 9, 9},
           Case{1, 0.25, 9, 9},
           Case{2, 0.25, 9, 10},
           Case{-2, 0.25, 9, 9},
           Case{-3, 0.25, 9, 8},
           Case{-6, 0.25, 9, 8},
           Case{-7, 0.25, 9, 7},
           Case{1, 0.5, 9, 10},
           Case{-1, 0.5, 9, 9},
           Case{3, 0.5, 9, 11},
           Case{-3, 0.5, 9, 8},
           Case{100, 1.0, 0, 100},
           Case{-100, 1.0, 128, 28},
           Case{3, 64.0, 0, 192},
           Case{4, 64.0, 0, 255},
           Case{-1, 64.0, 60, 0},
           Case{1, 0x1p28, 0, 255},
           Case{-1, 0x1p28, 255, 0},
           Case{0, 0x1p28, 77, 77},
           Case{INT32_MAX, 0.25, 0, 255},
           Case{INT32_MIN, 0.25, 255, 0},
           Case{INT32_MAX, 0x1p28, 0, 255},
           Case{INT32_MIN, 0x1p28, 255, 0},
           Case{INT32_MAX, 1e-300, 3, 3},
       }) {
    CAPTURE(c.acc);
    CAPTURE(c.ratio);
    CHECK(requantize_one(c.acc, make_requant(c.ratio), c.zero_point, 0, 255) == c.code);
  }
  CHECK(requantize_one(1000, make_requant(0.25), 0, 0, 200) == 200);
  CHECK(requantize_one(-1000, make_requant(0.25), 128, 128, 255) == 128);
}

TEST_CASE("requantize_one: equals the product without limits for every shift") {
  int inside = 0;
  for (int shift = 0; shift <= 30; ++shift) {
    for (const std::int32_t multiplier :
         {shift > 0 ? 1 << 30 : 1, (1 << 30) + 1, 1717986918, INT32_MAX - 1, INT32_MAX}) {
      const Requant r{multiplier, shift};
      for (const std::int32_t acc : interesting_accumulators(4)) {
        for (const std::int32_t zero_point : {0, 128, 255}) {
          const auto expected =
              static_cast<std::int32_t>(clamp_wide(zero_point + round_product(acc, r), 0, 255));
          REQUIRE(requantize_one(acc, r, zero_point, 0, 255) == expected);
          inside += expected > 0 && expected < 255;
        }
      }
    }
  }
  CHECK(inside > 10000);
}

TEST_CASE("requantize_to_s32: equals the product without limits, saturated, eq. (10)") {
  CHECK(requantize_to_s32(100, make_requant(64.0)) == 6400);
  CHECK(requantize_to_s32(1, make_requant(0.5)) == 1);
  CHECK(requantize_to_s32(-1, make_requant(0.5)) == 0);
  CHECK(requantize_to_s32(-3, make_requant(0.5)) == -1);
  CHECK(requantize_to_s32(INT32_MAX, make_requant(1.0)) == INT32_MAX);
  CHECK(requantize_to_s32(INT32_MIN, make_requant(1.0)) == INT32_MIN);
  CHECK(requantize_to_s32(INT32_MAX, make_requant(64.0)) == INT32_MAX);
  CHECK(requantize_to_s32(INT32_MIN, make_requant(64.0)) == INT32_MIN);
  CHECK(requantize_to_s32((1 << 25) - 1, make_requant(64.0)) == ((1 << 25) - 1) * 64);
  for (int shift = 0; shift <= 30; ++shift) {
    for (const std::int32_t multiplier : {0, 1, 1 << 30, 1717986918, INT32_MAX}) {
      const Requant r{multiplier, shift};
      for (const std::int32_t acc : interesting_accumulators(5)) {
        REQUIRE(requantize_to_s32(acc, r) ==
                clamp_wide(round_product(acc, r), INT32_MIN, INT32_MAX));
      }
    }
  }
}

TEST_CASE("add_one: int32 holds every extreme, ties half up, eq. (12)") {
  for (const std::int32_t shift : {1, 14, 20}) {
    for (const std::int32_t ma : {0, 1, 32767}) {
      for (const std::int32_t mb : {0, 1, 32767}) {
        for (const std::int32_t za : {0, 255}) {
          for (const std::int32_t zb : {0, 255}) {
            const AddParams p{ma, mb, shift, -za * ma - zb * mb};
            for (const std::int32_t a : {0, 255}) {
              for (const std::int32_t b : {0, 255}) {
                const Wide sum = Wide{a - za} * ma + Wide{b - zb} * mb;
                const Wide y = 100 + ((sum + (Wide{1} << (shift - 1))) >> shift);
                REQUIRE(add_one(a, b, p, 100, 0, 255) == clamp_wide(y, 0, 255));
              }
            }
          }
        }
      }
    }
  }
  const AddParams halves = make_add_params({0.5f, 10}, {0.5f, 10}, {1.0f, 0});
  CHECK(add_one(11, 10, halves, 50, 0, 255) == 51);  // + 0.5
  CHECK(add_one(9, 10, halves, 50, 0, 255) == 50);   // - 0.5
  CHECK(add_one(7, 10, halves, 50, 0, 255) == 49);   // - 1.5
  CHECK(add_one(255, 255, halves, 50, 50, 180) == 180);
  CHECK(add_one(0, 0, halves, 50, 50, 180) == 50);
}

}  // namespace octet
