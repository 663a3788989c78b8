#include "kernels/u8s8/add.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "kernels/qspec.h"
#include "tests/guarded_buffer.h"

namespace octet::kernels {

using testing::Guard;
using testing::GuardedBuffer;

TEST_CASE("add_u8: a worked example") {
  // S_a = 0.5, Z_a = 10; S_b = 0.25, Z_b = 0; S_y = 1, Z_y = 100: real 0.5 (a - 10) + 0.25 b.
  const AddParams params = make_add_params({0.5f, 10}, {0.25f, 0}, {1.0f, 100});
  const std::vector<std::uint8_t> a = {10, 11, 9, 255, 0, 12, 10}, b = {0, 0, 0, 255, 0, 4, 1};
  std::vector<std::uint8_t> y(a.size());
  add_u8({.count = 7,
          .a = a.data(),
          .b = b.data(),
          .y = y.data(),
          .params = params,
          .zero_point = 100});
  // 0, 0.5 -> 1 (half up), -0.5 -> 0, 122.5 + 63.75 = 186.25, -5, 1 + 1, 0.25
  CHECK(y == std::vector<std::uint8_t>{100, 101, 100, 255, 95, 102, 100});
}

TEST_CASE("add_u8: every pair of codes is within the bound of eq. (11) of the real sum") {
  struct Case {
    QParams a, b, y;
  };
  for (const Case& c :
       {Case{{0.02f, 0}, {0.03f, 0}, {0.04f, 0}}, Case{{0.013f, 77}, {0.5f, 200}, {0.3f, 128}},
        Case{{1.0f, 255}, {1.0f, 0}, {1.0f, 3}}, Case{{3.0f, 9}, {1e-4f, 1}, {0.01f, 0}}}) {
    const AddParams params = make_add_params(c.a, c.b, c.y);
    std::vector<std::uint8_t> a, b;
    for (int i = 0; i < 256; ++i) {
      for (int j = 0; j < 256; ++j) {
        a.push_back(static_cast<std::uint8_t>(i));
        b.push_back(static_cast<std::uint8_t>(j));
      }
    }
    std::vector<std::uint8_t> y(a.size());
    add_u8({.count = 65536,
            .a = a.data(),
            .b = b.data(),
            .y = y.data(),
            .params = params,
            .zero_point = c.y.zero_point});
    int wrong = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const int da = a[i] - c.a.zero_point, db = b[i] - c.b.zero_point;
      const double exact =
          c.y.zero_point + (double{c.a.scale} * da + double{c.b.scale} * db) / double{c.y.scale};
      const double bound = 0.5 + std::ldexp(std::abs(da) + std::abs(db), -params.shift - 1) + 1e-9;
      wrong += std::fabs(y[i] - std::clamp(exact, 0.0, 255.0)) > bound;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("add_u8: equals add_one for any length, clamped, in place, and with one operand") {
  for (std::int64_t count = 1; count < 130; ++count) {
    Rng rng(5, RngPurpose::kTest, 0, static_cast<std::uint32_t>(count));
    const auto size = static_cast<std::size_t>(count);
    GuardedBuffer<std::uint8_t> a(size, Guard::kAfter), b(size, Guard::kBefore),
        y(size, Guard::kAfter);
    for (auto& code : a) code = static_cast<std::uint8_t>(rng.next());
    for (auto& code : b) code = static_cast<std::uint8_t>(rng.next());
    AddParams params = make_add_params({0.1f, 3}, {0.07f, 250}, {0.09f, 60});
    AddArgs args{.count = count,
                 .a = a.data(),
                 .b = b.data(),
                 .y = y.data(),
                 .params = params,
                 .zero_point = 60,
                 .clamp_min = 60,
                 .clamp_max = 200};
    add_u8(args);
    for (std::size_t i = 0; i < size; ++i) {
      REQUIRE(y[i] == add_one(a[i], b[i], params, 60, 60, 200));
    }
    args.y = b.data();
    add_u8(args);
    REQUIRE(std::equal(y.begin(), y.end(), b.begin()));

    args.params.multiplier_b = 0;
    args.params.offset = -3 * params.multiplier_a;
    args.b = nullptr;
    add_u8(args);
    for (std::size_t i = 0; i < size; ++i) {
      REQUIRE(b[i] == add_one(a[i], 0, args.params, 60, 60, 200));
    }
  }
}

}  // namespace octet::kernels
