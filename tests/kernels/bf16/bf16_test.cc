#include "kernels/bf16/bf16.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tests/guarded_buffer.h"
#include "tests/kernels/bf16/kernels_under_test.h"
#include "tests/skip.h"

namespace octet::kernels {
namespace {

using testing::Guard;
using testing::GuardedBuffer;

float bits(std::uint32_t pattern) { return std::bit_cast<float>(pattern); }
std::uint32_t bits(float value) { return std::bit_cast<std::uint32_t>(value); }

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST_CASE("bf16: rounding is to nearest even, denormals are zero, NaN stays NaN") {
  CHECK(to_bf16(1.0f) == 0x3F80);
  CHECK(to_bf16(-2.5f) == 0xC020);
  CHECK(to_bf16(bits(0x3F808000u)) == 0x3F80);  // half way: to the even one
  CHECK(to_bf16(bits(0x3F818000u)) == 0x3F82);
  CHECK(to_bf16(bits(0x3F808001u)) == 0x3F81);
  CHECK(to_bf16(bits(0xBF807FFFu)) == 0xBF80);
  CHECK(to_bf16(bits(0x3FFF8000u)) == 0x4000);  // carries into the exponent
  CHECK(to_bf16(bits(0x7F7F7FFFu)) == 0x7F7F);
  CHECK(to_bf16(bits(0x7F7F8000u)) == 0x7F80);  // overflows
  CHECK(to_bf16(kInfinity) == 0x7F80);
  CHECK(to_bf16(-kInfinity) == 0xFF80);
  CHECK(to_bf16(0.0f) == 0);
  CHECK(to_bf16(-0.0f) == 0x8000);
  CHECK(to_bf16(bits(0x007FFFFFu)) == 0);  // not 2^-126, which is nearer
  CHECK(to_bf16(bits(0x80000001u)) == 0x8000);
  CHECK(to_bf16(bits(0x00800000u)) == 0x0080);
  CHECK(std::isnan(from_bf16(to_bf16(bits(0x7F800001u)))));  // its upper half alone is infinity
  CHECK(std::isnan(from_bf16(to_bf16(bits(0xFFFFFFFFu)))));
}

// One lane of VDPBF16PS, and the property that it shows.
struct Dot {
  const char* property;
  float acc, a0, a1, b0, b1;
  float expected;
};

constexpr float kMax = 0x1.FEp127f;  // the largest bfloat16
constexpr float kTiny = 0x1p-126f;   // the smallest that is not denormal
constexpr float kDenormal = 0x0.8p-126f;

const std::vector<Dot> kDots = {
    {"both products are added", 0.5f, 2.0f, 3.0f, 5.0f, 7.0f, 31.5f},
    // 1 + 2^24 falls back to 2^24. The other order, and one rounding at the end, would give 1.
    {"element 1 comes first, and its sum is rounded", 1.0f, -0x1p12f, 0x1p12f, 0x1p12f, 0x1p12f,
     0.0f},
    {"element 0 comes second", 0x1p24f, 1.0f, -0x1p12f, 1.0f, 0x1p12f, 1.0f},
    {"sums have 24 bits", 0x1p24f, 1.0f, 1.0f, 1.0f, 1.0f, 0x1p24f},
    {"rounding is to nearest even", 0x1p24f, 0.0f, 1.0f, 0.0f, 3.0f, 0x1p24f + 4.0f},
    {"a product does not overflow on its own", -0x1p127f, 0.0f, 0x1p64f, 0.0f, 0x1p64f, 0x1p127f},
    {"a product is not flushed on its own", 0x1p-120f, 0.0f, 0x1p-70f, 0.0f, 0x1p-70f,
     0x1p-120f + 0x1p-140f},
    {"overflow is infinity", kMax, 0.0f, kMax, 0.0f, kMax, kInfinity},
    {"a denormal operand is zero", 1.0f, 0.0f, kDenormal, 0.0f, 0x1p127f, 1.0f},
    {"also times infinity", 1.0f, 0.0f, kDenormal, 0.0f, kInfinity, kNaN},
    {"a denormal sum that comes in is zero", kDenormal, 0.0f, kTiny, 0.0f, 1.0f, kTiny},
    {"a denormal result is zero", 0.0f, 0.0f, kTiny, 0.0f, 0.5f, 0.0f},
    {"and keeps its sign", -0.0f, -0.0f, -kTiny, 1.0f, 0.5f, -0.0f},
    {"also between the two products", 0.0f, kTiny, kTiny, 1.0f, 0.5f, kTiny},
    // 2^-126 - 2^-150 is nearest to 2^-126 on the denormals' grid, but not on that of 24 bits.
    {"denormal is decided after rounding to 24 bits", kTiny, 0.0f, -0x1p-75f, 0.0f, 0x1p-75f, 0.0f},
    {"and what rounds to 2^-126 there is none", kTiny, 0.0f, -0x1p-75f, 0.0f, 0x1p-77f, kTiny},
    {"zeros of both signs", -0.0f, 0.0f, 0.0f, 1.0f, 1.0f, 0.0f},
    {"negative zeros", -0.0f, -0.0f, -0.0f, 1.0f, 1.0f, -0.0f},
};

// The halves of a pair as they are; rounding would make denormals zero.
float pair(float even, float odd) {
  return bf16_pair(static_cast<std::uint16_t>(bits(even) >> 16),
                   static_cast<std::uint16_t>(bits(odd) >> 16));
}

bool same(float value, float expected) {
  return std::isnan(expected) ? std::isnan(value) : bits(value) == bits(expected);
}

TEST_CASE("bf16: the reference does what Intel's manual says of VDPBF16PS") {
  for (const Dot& d : kDots) {
    CAPTURE(d.property);
    CHECK(same(bf16_dot(d.acc, pair(d.a0, d.a1), pair(d.b0, d.b1)), d.expected));
  }
}

float dot_of(const Bf16Kernels& kernels, float acc, float a, float b) {
  kernels.gemm({.m = 1,
                .n = 1,
                .k = 1,
                .a = &a,
                .a_row = 1,
                .a_col = 1,
                .b = &b,
                .b_row = 1,
                .init = &acc,
                .init_row = 1,
                .c = &acc,
                .c_row = 1});
  return acc;
}

void check_dots(const Bf16Kernels& kernels) {
  CAPTURE(std::string(kernels.name));
  for (const Dot& d : kDots) {
    CAPTURE(d.property);
    CHECK(same(dot_of(kernels, d.acc, pair(d.a0, d.a1), pair(d.b0, d.b1)), d.expected));
  }
  // Every combination of a few exponents, so that sums cancel, overflow and underflow.
  Rng rng(7, RngPurpose::kTest);
  const auto number = [&] {
    constexpr std::uint32_t kExponents[] = {0, 1, 2, 23, 24, 52, 64, 103, 127, 128, 190, 253, 254};
    return (rng.below(2) << 31) | (kExponents[rng.below(13)] << 23) | rng.below(1u << 23);
  };
  int wrong = 0;
  for (int i = 0; i < 200000; ++i) {
    const float a = pair(bits(number()), bits(number())), b = pair(bits(number()), bits(number()));
    const float acc = bits(number());
    wrong += !same(dot_of(kernels, acc, a, b), bf16_dot(acc, a, b));
  }
  CHECK(wrong == 0);
}

TEST_CASE("bf16: every kernel's product is the reference's, at the limits of the format too") {
  for (const Bf16Kernels& kernels : bf16_kernels_under_test()) check_dots(kernels);
}

// What no CPU without AVX-512 BF16 can say. If this fails, the CPU computes another thing than the
// manual says, and bf16 weights from it differ from emulated ones: see docs/decisions.md.
TEST_CASE("bf16: this CPU's own instructions do what the manual says") {
  if (!cpu_has_avx512_bf16()) return testing::skip("this CPU has no AVX-512 BF16");
  int native = 0;
  for (const Bf16Kernels& kernels : bf16_kernels()) {
    if (!kernels.native) continue;
    check_dots(kernels);
    ++native;
  }
  CHECK(native == 1);
}

TEST_CASE("bf16: all kernels round every upper half alike, and stay inside their operands") {
  // Each upper half with lower halves around the rounding points.
  std::vector<float> numbers;
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      numbers.push_back(bits(upper << 16 | lower));
    }
  }
  const std::size_t half = numbers.size() / 2;
  std::vector<float> pairs(half);
  const auto same_pair = [](float got, float even, float odd) {
    const auto same_half = [](std::uint32_t got_half, float value) {
      const float rounded = from_bf16(static_cast<std::uint16_t>(got_half));
      return std::isnan(value) ? std::isnan(rounded) : bits(rounded) >> 16 == to_bf16(value);
    };
    return same_half(bits(got) & 0xFFFFu, even) && same_half(bits(got) >> 16, odd);
  };
  for (const Bf16Kernels& kernels : bf16_kernels_under_test()) {
    CAPTURE(std::string(kernels.name));
    kernels.pair_rows(static_cast<std::int64_t>(half), numbers.data(), numbers.data() + half,
                      pairs.data());
    int wrong = 0;
    for (std::size_t i = 0; i < half; ++i) {
      wrong += !same_pair(pairs[i], numbers[i], numbers[half + i]);
    }
    CHECK(wrong == 0);
    kernels.pair_columns(1, static_cast<std::int64_t>(numbers.size()), numbers.data(),
                         pairs.data());
    for (std::size_t i = 0; i < half; ++i) {
      wrong += !same_pair(pairs[i], numbers[2 * i], numbers[2 * i + 1]);
    }
    CHECK(wrong == 0);

    for (std::int64_t columns = 1; columns <= 70; ++columns) {
      CAPTURE(columns);
      for (const std::int64_t rows : {1, 3}) {
        const std::int64_t wide = (columns + 1) / 2, count = rows * columns;
        GuardedBuffer<float> x(static_cast<std::size_t>(count), Guard::kAfter);
        GuardedBuffer<float> out(static_cast<std::size_t>(rows * wide), Guard::kAfter);
        GuardedBuffer<float> row(static_cast<std::size_t>(columns), Guard::kAfter);
        Rng rng(3, RngPurpose::kTest);
        for (float& value : x) value = rng.normal();
        kernels.pair_columns(rows, columns, x.data(), out.data());
        int bad = 0;
        for (std::int64_t i = 0; i < rows * wide; ++i) {
          const std::int64_t at = i / wide * columns + i % wide * 2;
          const bool last = i % wide * 2 + 1 == columns;
          bad += !same_pair(out[static_cast<std::size_t>(i)], x.data()[at],
                            last ? 0.0f : x.data()[at + 1]);
        }
        const float* odd = rows > 1 ? x.data() + columns : nullptr;
        kernels.pair_rows(columns, x.data(), odd, row.data());
        for (std::int64_t i = 0; i < columns; ++i) {
          bad += !same_pair(row[static_cast<std::size_t>(i)], x.data()[i],
                            odd == nullptr ? 0.0f : odd[i]);
        }
        CHECK(bad == 0);
      }
    }
  }
}

}  // namespace
}  // namespace octet::kernels
