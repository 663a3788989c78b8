#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/f32/kernels.h"
#include "kernels/f32/pack.h"
#include "tests/guarded_buffer.h"
#include "tests/kernels/f32/numbers.h"

namespace octet::kernels {
namespace {

using testing::Guard;
using testing::GuardedBuffer;
using testing::random_floats;

GuardedBuffer<float> guarded(std::size_t count, std::uint64_t seed) {
  GuardedBuffer<float> buffer(count, Guard::kAfter);
  const std::vector<float> values = random_floats(count, seed);
  std::copy(values.begin(), values.end(), buffer.begin());
  return buffer;
}

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

TEST_CASE(
    "f32 gemm: every kernel gives the chain of fma, bit by bit, and stays inside its operands") {
  struct Case {
    std::int64_t m, n, k;
  };
  std::vector<Case> cases = {{12, 64, 33}, {7, 150, 16}, {25, 6, 25}, {16, 16, 150}, {1, 130, 3}};
  for (std::int64_t m = 1; m <= 26; ++m) cases.push_back({m, 1 + m * 5 % 23, 1 + m % 4});
  for (std::int64_t n = 1; n <= 82; ++n) cases.push_back({1 + n % 5, n, 1 + n % 6});
  enum class Init { kZero, kBias, kContinue };
  for (const Case& c : cases) {
    const std::int64_t m = c.m, n = c.n, k = c.k;
    for (const bool unit_rows : {false, true}) {
      for (const Init mode : {Init::kZero, Init::kBias, Init::kContinue}) {
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        CAPTURE(unit_rows);
        const auto a = guarded(at(m * k), 1), b = guarded(at(k * n), 2), bias = guarded(at(n), 3);
        const std::vector<float> before = random_floats(at(m * n), 4);
        std::vector<float> expected(at(m * n));
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t j = 0; j < n; ++j) {
            float acc = mode == Init::kZero   ? 0.0f
                        : mode == Init::kBias ? bias[at(j)]
                                              : before[at(i * n + j)];
            for (std::int64_t p = 0; p < k; ++p) {
              acc = std::fma(a[at(unit_rows ? p * m + i : i * k + p)], b[at(p * n + j)], acc);
            }
            expected[at(i * n + j)] = acc;
          }
        }
        for (const F32Kernels& kernels : f32_kernels()) {
          if (!cpu_supports(kernels.isa)) continue;
          CAPTURE(std::string(kernels.name));
          auto result = guarded(at(m * n), 4);
          GemmF32Args args = {.m = m, .n = n, .k = k, .a = a.data(), .b = b.data(), .b_row = n};
          args.a_row = unit_rows ? 1 : k;
          args.a_col = unit_rows ? m : 1;
          args.c = result.data();
          args.c_row = n;
          if (mode != Init::kZero) args.init = mode == Init::kBias ? bias.data() : result.data();
          if (mode == Init::kContinue) args.init_row = n;
          kernels.gemm(args);
          CHECK(std::equal(result.begin(), result.end(), expected.begin()));
        }
      }
    }
  }
}

TEST_CASE("f32 gemm: columns beyond n of a wider result are left alone") {
  for (const F32Kernels& kernels : f32_kernels()) {
    if (!cpu_supports(kernels.isa)) continue;
    for (const std::int64_t n : {1, 5, 8, 13, 17, 70}) {
      const std::vector<float> a = random_floats(15, 1), b = random_floats(at(3 * n), 2);
      std::vector<float> c(at(5 * (n + 9)), -7.0f);
      kernels.gemm({.m = 5,
                    .n = n,
                    .k = 3,
                    .a = a.data(),
                    .a_row = 3,
                    .a_col = 1,
                    .b = b.data(),
                    .b_row = n,
                    .c = c.data(),
                    .c_row = n + 9});
      std::int64_t untouched = 0;
      for (std::int64_t i = 0; i < 5; ++i) {
        for (std::int64_t j = n; j < n + 9; ++j) untouched += c[at(i * (n + 9) + j)] == -7.0f;
      }
      CHECK(untouched == 45);
    }
  }
}

TEST_CASE("f32 gemm: runs make one chain over pieces of a and b that lie apart") {
  constexpr std::int64_t kM = 13, kN = 21, kK = 5, kRuns = 3, kARun = 40, kBRun = kK * kN + 7;
  constexpr std::int64_t kGroups = 2, kAGroup = 3 * kARun + 11, kBGroup = 4 * kBRun - 3;
  const std::vector<float> a = random_floats(at(kGroups * kAGroup + kM * kK), 1);
  const std::vector<float> b = random_floats(at(kGroups * kBGroup), 2);
  for (const bool unit_rows : {false, true}) {
    // Rows of a overlap, as those of a convolution do.
    const std::int64_t a_row = unit_rows ? 1 : 2, a_col = unit_rows ? 2 : 1;
    std::vector<float> expected(at(kM * kN));
    for (std::int64_t i = 0; i < kM; ++i) {
      for (std::int64_t j = 0; j < kN; ++j) {
        float acc = 0.0f;
        for (std::int64_t p = 0; p < kGroups * kRuns * kK; ++p) {
          const std::int64_t group = p / kK / kRuns, run = p / kK % kRuns;
          acc = std::fma(a[at(group * kAGroup + run * kARun + i * a_row + p % kK * a_col)],
                         b[at(group * kBGroup + run * kBRun + p % kK * kN + j)], acc);
        }
        expected[at(i * kN + j)] = acc;
      }
    }
    for (const F32Kernels& kernels : f32_kernels()) {
      if (!cpu_supports(kernels.isa)) continue;
      CAPTURE(std::string(kernels.name));
      std::vector<float> c(at(kM * kN));
      kernels.gemm({.m = kM,
                    .n = kN,
                    .k = kK,
                    .a = a.data(),
                    .a_row = a_row,
                    .a_col = a_col,
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
}

TEST_CASE("f32 gemm: groups of rows, as the taps of a pixel lie in an image") {
  struct Case {
    std::int64_t groups, rows, n;
  };
  constexpr std::int64_t kLine = 37, kK = 9, kStep = 2;
  for (const Case& c :
       {Case{5, 5, 6}, Case{5, 5, 8}, Case{5, 5, 9}, Case{3, 3, 6}, Case{2, 30, 16}}) {
    const std::int64_t m = c.groups * c.rows;
    const std::vector<float> a = random_floats(at(c.groups * kLine + kK * kStep + c.rows), 1);
    const std::vector<float> b = random_floats(at(kK * c.n), 2);
    const std::vector<float> before = random_floats(at(m * c.n), 3);
    std::vector<float> expected = before;
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < c.n; ++j) {
        float& acc = expected[at(i * c.n + j)];
        for (std::int64_t p = 0; p < kK; ++p) {
          acc =
              std::fma(a[at(i / c.rows * kLine + i % c.rows + p * kStep)], b[at(p * c.n + j)], acc);
        }
      }
    }
    for (const F32Kernels& kernels : f32_kernels()) {
      if (!cpu_supports(kernels.isa)) continue;
      CAPTURE(std::string(kernels.name));
      std::vector<float> result = before;
      kernels.gemm({.m = c.rows,
                    .n = c.n,
                    .k = kK,
                    .a = a.data(),
                    .a_row = 1,
                    .a_col = kStep,
                    .b = b.data(),
                    .b_row = c.n,
                    .init = result.data(),
                    .init_row = c.n,
                    .c = result.data(),
                    .c_row = c.n,
                    .row_groups = c.groups,
                    .a_group = kLine});
      CHECK(result == expected);
    }
  }
}

TEST_CASE("f32 gemm: listed rows, added rows and the activations, in and out of lists") {
  constexpr std::int64_t kK = 5, kRuns = 2, kARun = 7, kMaps = 40;
  struct Case {
    std::int64_t m, n;
    bool listed, unit_rows, go_on;
  };
  std::vector<Case> cases;
  for (std::int64_t m = 1; m <= 14; ++m) {
    for (const std::int64_t n : {1, 6, 8, 13, 16, 21, 48, 64, 70}) {
      cases.push_back({m, n, true, false, m % 2 == 0});
      cases.push_back({m, n, false, m % 3 == 0, m % 2 == 0});
    }
  }
  for (const Case& c : cases) {
    CAPTURE(c.m);
    CAPTURE(c.n);
    CAPTURE(c.listed);
    const std::vector<float> a = random_floats(at(kMaps * 10), 1);
    const std::vector<float> b = random_floats(at(kRuns * kK * c.n), 2);
    const std::vector<float> bias = random_floats(at(c.n), 3);
    const std::vector<float> before = random_floats(at(kMaps * c.n), 4);
    std::vector<float> add = random_floats(at(kMaps * c.n), 5);
    for (float& x : add) x *= 8.0f;  // some results are beyond 6
    add[0] = std::nanf("");
    const std::int64_t a_row = c.unit_rows ? 1 : 3, a_col = c.unit_rows ? 2 : 1;
    std::vector<std::ptrdiff_t> a_rows, c_rows;
    for (std::int64_t i = 0; i < c.m; ++i) {
      a_rows.push_back(c.listed ? (i * 17 + 4) % 31 : i * a_row);
      c_rows.push_back((c.listed ? i * 23 % kMaps : i) * c.n);  // no two of them are one
    }
    for (const int act : {0, 1, 2}) {
      std::vector<float> expected = before;
      for (std::int64_t i = 0; i < c.m; ++i) {
        for (std::int64_t j = 0; j < c.n; ++j) {
          const std::size_t to = at(c_rows[at(i)] + j);
          float acc = c.go_on ? before[to] : bias[at(j)];
          for (std::int64_t p = 0; p < kRuns * kK; ++p) {
            acc = std::fma(a[at(a_rows[at(i)] + p / kK * kARun + p % kK * a_col)],
                           b[at(p * c.n + j)], acc);
          }
          acc += add[to];
          if (act > 0 && acc < 0.0f) acc = 0.0f;
          if (act > 1 && acc > 6.0f) acc = 6.0f;
          expected[to] = acc;
        }
      }
      for (const F32Kernels& kernels : f32_kernels()) {
        if (!cpu_supports(kernels.isa)) continue;
        CAPTURE(std::string(kernels.name));
        std::vector<float> result = before;
        GemmF32Args args = {.m = c.m, .n = c.n, .k = kK, .a = a.data(), .a_row = a_row};
        args.a_col = a_col;
        args.b = b.data();
        args.b_row = c.n;
        args.init = c.go_on ? result.data() : bias.data();
        args.init_row = c.go_on ? c.n : 0;
        args.c = result.data();
        args.c_row = c.n;
        args.runs = kRuns;
        args.a_run = kARun;
        args.b_run = kK * c.n;
        args.a_rows = c.listed ? a_rows.data() : nullptr;
        args.c_rows = c.listed ? c_rows.data() : nullptr;
        args.add = add.data();
        args.relu = act == 1;
        args.relu6 = act == 2;
        kernels.gemm(args);
        CHECK(std::isnan(result[0]));
        result[0] = expected[0] = 0.0f;
        CHECK(result == expected);
      }
    }
  }
}

TEST_CASE("select_f32_kernels: the cap holds") {
  CHECK(select_f32_kernels(Isa::kScalar).isa == Isa::kScalar);
  CHECK(select_f32_kernels(Isa::kNeonDot).isa == Isa::kScalar);
#if defined(__x86_64__)
  CHECK(select_f32_kernels(Isa::kAvx2).isa == Isa::kAvx2);
  CHECK(select_f32_kernels(Isa::kAvxVnni).isa == Isa::kAvx2);
  CHECK(select_f32_kernels(Isa::kAvx512Vnni).isa == Isa::kAvx512Vnni);
#endif
}

TEST_CASE("pack_transposed: panels, the last padded with zeros") {
  for (const std::int64_t columns : {16, 64}) {
    for (const std::int64_t n : {1, 6, 16, 24, 63, 64, 65, 150}) {
      const std::int64_t k = 67;
      const Panels panels{n, columns};
      const std::vector<float> w = random_floats(at(n * k), 9);
      REQUIRE(panels.packed_floats(k) <= packed_room(n, k));
      std::vector<float> packed(at(panels.packed_floats(k)), -1.0f);
      pack_transposed(w.data(), panels, k, packed.data());
      for (std::int64_t panel = 0; panel < panels.count(); ++panel) {
        const std::int64_t width = panels.width(panel), first = panels.first(panel);
        std::int64_t wrong = 0;
        for (std::int64_t i = 0; i < k; ++i) {
          for (std::int64_t j = 0; j < width; ++j) {
            const float expected = first + j < n ? w[at((first + j) * k + i)] : 0.0f;
            wrong += packed[at(first * k + i * width + j)] != expected;
          }
        }
        CHECK(wrong == 0);
      }
    }
  }
}

}  // namespace
}  // namespace octet::kernels
