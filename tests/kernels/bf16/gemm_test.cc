#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "kernels/bf16/bf16.h"
#include "tests/guarded_buffer.h"
#include "tests/kernels/bf16/kernels_under_test.h"
#include "tests/kernels/f32/numbers.h"

namespace octet::kernels {
namespace {

using testing::Guard;
using testing::GuardedBuffer;
using testing::random_floats;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

GuardedBuffer<float> guarded(const std::vector<float>& values) {
  GuardedBuffer<float> buffer(values.size(), Guard::kAfter);
  std::copy(values.begin(), values.end(), buffer.begin());
  return buffer;
}

// `count` pairs of normally distributed bfloat16.
GuardedBuffer<float> random_pairs(std::size_t count, std::uint64_t seed) {
  std::vector<float> values = random_floats(2 * count, seed);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = bf16_pair(to_bf16(values[2 * i]), to_bf16(values[2 * i + 1]));
  }
  values.resize(count);
  return guarded(values);
}

TEST_CASE("bf16 gemm: every kernel gives the chain of pairs, bit by bit, inside its operands") {
  struct Case {
    std::int64_t m, n, k;
  };
  std::vector<Case> cases = {{12, 64, 33}, {7, 150, 16}, {25, 6, 25}, {16, 16, 150}, {1, 130, 3}};
  for (std::int64_t m = 1; m <= 29; ++m) cases.push_back({m, 1 + m * 5 % 23, 1 + m % 4});
  for (std::int64_t n = 1; n <= 82; ++n) cases.push_back({1 + n % 5, n, 1 + n % 6});
  enum class Init { kZero, kBias, kContinue };
  for (const Case& c : cases) {
    const std::int64_t m = c.m, n = c.n, k = c.k;
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    const auto a = random_pairs(at(m * k), 1), b = random_pairs(at(k * n), 2);
    const auto bias = guarded(random_floats(at(n), 3));
    const std::vector<float> before = random_floats(at(m * n), 4);
    for (const bool unit_rows : {false, true}) {
      CAPTURE(unit_rows);
      for (const Init mode : {Init::kZero, Init::kBias, Init::kContinue}) {
        std::vector<float> expected(at(m * n));
        for (std::int64_t i = 0; i < m * n; ++i) {
          float acc = mode == Init::kZero   ? 0.0f
                      : mode == Init::kBias ? bias[at(i % n)]
                                            : before[at(i)];
          for (std::int64_t p = 0; p < k; ++p) {
            acc = bf16_dot(acc, a[at(unit_rows ? p * m + i / n : i / n * k + p)],
                           b[at(p * n + i % n)]);
          }
          expected[at(i)] = std::max(acc, 0.0f);
        }
        for (const Bf16Kernels& kernels : bf16_kernels_under_test()) {
          CAPTURE(std::string(kernels.name));
          auto result = guarded(before);
          GemmF32Args args = {.m = m, .n = n, .k = k, .a = a.data(), .b = b.data(), .b_row = n};
          args.a_row = unit_rows ? 1 : k;
          args.a_col = unit_rows ? m : 1;
          args.c = result.data();
          args.c_row = n;
          args.relu = true;
          if (mode != Init::kZero) args.init = mode == Init::kBias ? bias.data() : result.data();
          if (mode == Init::kContinue) args.init_row = n;
          kernels.gemm(args);
          CHECK(std::equal(result.begin(), result.end(), expected.begin()));
        }
      }
    }
  }
}

TEST_CASE("bf16 gemm: runs and groups of runs make one chain") {
  constexpr std::int64_t kM = 13, kN = 21, kK = 5, kRuns = 3, kGroups = 2, kARun = 40, kBRun = 112;
  constexpr std::int64_t kAGroup = 131, kBGroup = 445;
  const auto a = random_pairs(kGroups * kAGroup + kM * kK, 1), b = random_pairs(2 * kBGroup, 2);
  std::vector<float> expected(kM * kN);
  for (std::int64_t i = 0; i < kM * kN; ++i) {
    float acc = 0.0f;
    for (std::int64_t p = 0; p < kGroups * kRuns * kK; ++p) {
      const std::int64_t group = p / (kRuns * kK), run = p / kK % kRuns, link = p % kK;
      acc = bf16_dot(acc, a[at(group * kAGroup + run * kARun + i / kN * kK + link)],
                     b[at(group * kBGroup + run * kBRun + link * kN + i % kN)]);
    }
    expected[at(i)] = acc;
  }
  for (const Bf16Kernels& kernels : bf16_kernels_under_test()) {
    CAPTURE(std::string(kernels.name));
    std::vector<float> c(kM * kN);
    kernels.gemm({.m = kM,
                  .n = kN,
                  .k = kK,
                  .a = a.data(),
                  .a_row = kK,
                  .a_col = 1,
                  .b = b.data(),
                  .b_row = kN,
                  .c = c.data(),
                  .c_row = kN,
                  .runs = kRuns,
                  .a_run = kARun,
                  .b_run = kBRun,
                  .run_groups = kGroups,
                  .a_run_group = kAGroup,
                  .b_run_group = kBGroup});
    CHECK(c == expected);
  }
}

TEST_CASE(
    "bf16: the selection obeys the cap, and takes native kernels only where the CPU has them") {
  CHECK(std::string(select_bf16_kernels(Isa::kScalar).name) == "scalar");
  if (cpu_supports(Isa::kAvx2)) CHECK(std::string(select_bf16_kernels(Isa::kAvx2).name) == "avx2");
  if (cpu_supports(Isa::kAvx512Vnni)) {
    CHECK(select_bf16_kernels(Isa::kAvx512Vnni).native == cpu_has_avx512_bf16());
  }
}

}  // namespace
}  // namespace octet::kernels
