#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "kernels/fixed_point.h"
#include "kernels/u8s8/gemm.h"
#include "tests/guarded_buffer.h"
#include "tests/skip.h"

// Integer matrix products for tests: random and extreme operands, and what comes out by definition.
namespace octet::kernels {

constexpr std::uint64_t kSeed = 8;

// Runs a test of one kernel, or skips it where the CPU lacks the kernel's instruction set.
inline void test_kernel(void (*test)(const GemmKernel&), const GemmKernel& kernel) {
  if (!cpu_supports(kernel.isa)) {
    return testing::skip(message("this CPU lacks ", name_of(kernel.isa)));
  }
  test(kernel);
}

enum class Codes { kRandom, kSmall, kAll0, kAll255 };
enum class Weights { kRandom, kSmall, kAllMinus128, kAll127, kExtremes };

struct Problem {
  std::int64_t index = -1;  // of random_problem
  std::int64_t m = 1, n = 1, k = 1;
  // The k of a row lie in pieces with gaps between them; pieces of which `absent` has a bit are not
  // among the runs.
  std::int64_t piece = 0, gap = 0;  // piece 0: k
  std::uint32_t absent = 0;
  std::int64_t a_gap = 0, c_gap = 0;  // stride minus row length
  bool rows_mixed = false;            // rows in another order than in memory
  Codes codes = Codes::kRandom;
  Weights weights = Weights::kRandom;
  testing::Guard guard = testing::Guard::kAfter;
  int max_shift = 0;
  std::int32_t zero_point = 0, clamp_min = 0, clamp_max = 255;
  bool add = false;  // with a residual add
  Residual residual;
  std::vector<std::uint8_t> b;  // [m, n], the residual's codes
  std::vector<std::uint8_t> a;  // [m, k]
  std::vector<std::int8_t> w;   // [n, k]
  std::vector<std::int32_t> bias, multiplier, shift;

  std::int64_t piece_size() const { return piece == 0 ? k : piece; }
  std::int64_t pieces() const { return k / piece_size(); }
  bool present(std::int64_t index_of_piece) const {
    return (absent >> (index_of_piece % 32) & 1) == 0;
  }
  // Bytes of a row in memory, and where row i is among them.
  std::int64_t row_bytes() const { return k + (pieces() - 1) * gap; }
  std::int64_t place(std::int64_t i) const { return rows_mixed ? (i * 7 + 3) % m : i; }
};

// The runs of every row. Where no gap is between them, neither in memory nor in the panel, they are
// one.
inline std::vector<TapRun> runs_of(const Problem& p, const PackedK& k) {
  std::vector<TapRun> runs;
  for (std::int64_t i = 0; i < p.pieces(); ++i) {
    if (!p.present(i)) continue;
    const TapRun run{i * (k.piece + p.gap), i * k.padded_piece, k.piece};
    if (!runs.empty() && p.gap == 0 && k.piece == k.padded_piece && p.present(i - 1)) {
      runs.back().count += run.count;
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

// The line to repeat a failure with.
inline std::string describe(const GemmKernel& kernel, const Problem& p) {
  return message(kernel.name, " OCTET_TEST_CASE=", p.index, " m=", p.m, " n=", p.n, " k=", p.k,
                 " piece=", p.piece_size(), " gap=", p.gap, " absent=", p.absent,
                 " rows_mixed=", p.rows_mixed, " add=", p.add,
                 " a_stride=", p.row_bytes() + p.a_gap, " c_stride=", p.n + p.c_gap,
                 " codes=", static_cast<int>(p.codes), " weights=", static_cast<int>(p.weights),
                 " guard=", static_cast<int>(p.guard), " max_shift=", p.max_shift,
                 " zero_point=", p.zero_point, " clamps=", p.clamp_min, "..", p.clamp_max);
}

inline std::int64_t uniform(Rng& rng, std::int64_t low, std::int64_t high) {
  return low + rng.below(static_cast<std::uint32_t>(high - low + 1));
}

template <class T>
T pick(Rng& rng, const std::vector<T>& from) {
  return from[rng.below(static_cast<std::uint32_t>(from.size()))];
}

inline void fill_operands(Problem& p, Rng& rng) {
  p.a.resize(static_cast<std::size_t>(p.m * p.k));
  for (auto& code : p.a) {
    const std::uint32_t r = rng.next();
    code = p.codes == Codes::kRandom  ? static_cast<std::uint8_t>(r)
           : p.codes == Codes::kSmall ? static_cast<std::uint8_t>(r % 3)
           : p.codes == Codes::kAll0  ? std::uint8_t{0}
                                      : std::uint8_t{255};
  }
  p.w.resize(static_cast<std::size_t>(p.n * p.k));
  for (auto& weight : p.w) {
    const std::uint32_t r = rng.next();
    weight = p.weights == Weights::kRandom        ? static_cast<std::int8_t>(r)
             : p.weights == Weights::kSmall       ? static_cast<std::int8_t>(r % 3) - 1
             : p.weights == Weights::kAllMinus128 ? -128
             : p.weights == Weights::kAll127      ? 127
             : (r & 1) != 0                       ? 127
                                                  : -128;
  }
}

// Half of the channels get a ratio that spreads their accumulators over the codes, the others any.
inline void fill_epilogue(Problem& p, Rng& rng) {
  for (std::int64_t j = 0; j < p.n; ++j) {
    p.bias.push_back(rng.below(2) == 0 ? static_cast<std::int32_t>(uniform(rng, -1000, 1000))
                                       : static_cast<std::int32_t>(rng.next()) / 2);
    p.shift.push_back(rng.below(3) == 0 ? 0
                                        : static_cast<std::int32_t>(uniform(rng, 0, p.max_shift)));
    const std::int64_t spread = p.k * (p.weights == Weights::kSmall ? 4 : 8000) + 1000;
    const std::int64_t fitting = (std::int64_t{256} << (32 - p.shift.back())) / spread;
    const std::int64_t limit = (std::int64_t{1} << 31) - 1;
    p.multiplier.push_back(static_cast<std::int32_t>(
        rng.below(2) == 0 ? std::min(fitting, limit) : std::int64_t{rng.next() >> 1}));
  }
}

inline void fill_residual(Problem& p, Rng& rng) {
  p.add = true;
  p.b.resize(static_cast<std::size_t>(p.m * p.n));
  for (auto& code : p.b) code = static_cast<std::uint8_t>(rng.next());
  AddParams& params = p.residual.params;
  params.shift = static_cast<std::int32_t>(uniform(rng, 1, 20));
  // Factors around those that keep the sum within codes, or any.
  const std::int64_t most = (1 << 15) - 1;
  const std::int64_t usual = std::min(most, std::int64_t{1} << params.shift);
  params.multiplier_a =
      static_cast<std::int32_t>(uniform(rng, 0, rng.below(3) == 0 ? most : usual));
  params.multiplier_b =
      static_cast<std::int32_t>(uniform(rng, 0, rng.below(3) == 0 ? most : usual));
  params.offset = -static_cast<std::int32_t>(uniform(rng, 0, 255)) * params.multiplier_a -
                  static_cast<std::int32_t>(uniform(rng, 0, 255)) * params.multiplier_b;
  p.residual.zero_point = pick<std::int32_t>(rng, {0, 255, 100});
  p.residual.clamp_min = pick<std::int32_t>(rng, {0, 0, p.residual.zero_point});
  p.residual.clamp_max = std::max(p.residual.clamp_min, pick<std::int32_t>(rng, {255, 255, 180}));
}

// A random problem with sizes around the edges of tiles and of groups of k.
inline Problem random_problem(const GemmKernel& kernel, std::int64_t index) {
  Rng rng(kSeed, RngPurpose::kTest, 0, static_cast<std::uint32_t>(index));
  const std::int64_t mr = kernel.mr, nr = kernel.nr;
  Problem p;
  p.index = index;
  p.m = pick<std::int64_t>(
      rng, {1, 1, 2, 3, 4, 5, 8, mr, mr + 1, 2 * mr - 1, 2 * mr + 1, 13, 24, 25, 36});
  p.n = pick<std::int64_t>(
      rng, {1, 2, 3, 4, 6, 10, 15, 16, 17, 31, 33, 63, 64, 65, 84, 120, nr, nr + 1, 2 * nr - 1});
  p.k =
      pick<std::int64_t>(rng, {1,  2,  3,  4,  5,   7,   8,   15,  16,  17,  25,  27,  31,  32,  33,
                               63, 64, 65, 75, 127, 150, 255, 256, 257, 400, 511, 513, 771, 1030});
  if (rng.below(2) == 0) {
    p.piece = pick<std::int64_t>(rng, {1, 2, 3, 4, 5, 6, 8, 12, 16, 18, 24, 30, 33, 64, 80});
    p.k = p.piece * uniform(rng, 1, 9);
    p.gap = pick<std::int64_t>(rng, {0, 0, 1, 7, 50});
    p.absent = rng.below(2) == 0 ? 0 : rng.next() & rng.next();
  }
  p.rows_mixed = rng.below(2) == 0 && p.m % 7 != 0;
  p.a_gap = pick<std::int64_t>(rng, {0, 0, 1, 3, 61});
  p.c_gap = pick<std::int64_t>(rng, {0, 0, 1, 5, 64});
  p.codes = pick<Codes>(
      rng, {Codes::kRandom, Codes::kRandom, Codes::kSmall, Codes::kAll0, Codes::kAll255});
  p.weights = pick<Weights>(rng, {Weights::kRandom, Weights::kRandom, Weights::kSmall,
                                  Weights::kAllMinus128, Weights::kAll127, Weights::kExtremes});
  p.guard = pick<testing::Guard>(rng, {testing::Guard::kAfter, testing::Guard::kBefore});
  p.max_shift = pick<int>(rng, {0, 0, 1, 8, 30});
  p.zero_point = pick<std::int32_t>(rng, {0, 0, 255, 128, 7});
  p.clamp_min = pick<std::int32_t>(rng, {0, 0, p.zero_point, 3});
  p.clamp_max = std::max(p.clamp_min, pick<std::int32_t>(rng, {255, 255, 200, 6, 0}));
  fill_operands(p, rng);
  fill_epilogue(p, rng);
  if (rng.below(3) == 0) {  // within the fast epilogue
    for (auto& shift : p.shift) shift = 0;
    for (auto& multiplier : p.multiplier) multiplier %= 1 << 30;
  }
  if (rng.below(2) == 0) fill_residual(p, rng);
  return p;
}

// Everything of the epilogue but its vectors and the residual.
inline Epilogue constants_of(const Problem& p) {
  Epilogue e;
  e.all_shifts_zero = std::all_of(p.shift.begin(), p.shift.end(), [](int s) { return s == 0; });
  e.small_multipliers =
      e.all_shifts_zero && std::all_of(p.multiplier.begin(), p.multiplier.end(),
                                       [](std::int32_t m) { return m < 1 << 30; });
  e.zero_point = p.zero_point;
  e.clamp_min = p.clamp_min;
  e.clamp_max = p.clamp_max;
  return e;
}

// The definition, in 64 bits: Error if an accumulator leaves int32, which breaks the contract.
inline std::vector<std::int32_t> accumulators(const Problem& p) {
  std::vector<std::int32_t> result;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      std::int64_t acc = p.bias[static_cast<std::size_t>(j)];
      const std::uint8_t* a = &p.a[static_cast<std::size_t>(i * p.k)];
      const std::int8_t* w = &p.w[static_cast<std::size_t>(j * p.k)];
      for (std::int64_t x = 0; x < p.k; ++x) {
        if (p.present(x / p.piece_size())) acc += a[x] * w[x];
      }
      OCTET_CHECK(acc >= INT32_MIN && acc <= INT32_MAX, "the test breaks the contract");
      result.push_back(static_cast<std::int32_t>(acc));
    }
  }
  return result;
}

inline std::vector<std::uint8_t> codes_of(const Problem& p, const std::vector<std::int32_t>& acc) {
  std::vector<std::uint8_t> result;
  for (std::size_t i = 0; i < acc.size(); ++i) {
    const std::size_t j = i % static_cast<std::size_t>(p.n);
    std::int32_t code = requantize_one(acc[i], {p.multiplier[j], p.shift[j]}, p.zero_point,
                                       p.clamp_min, p.clamp_max);
    if (p.add) {
      const Residual& r = p.residual;
      code = add_one(code, p.b[i], r.params, r.zero_point, r.clamp_min, r.clamp_max);
    }
    result.push_back(static_cast<std::uint8_t>(code));
  }
  return result;
}

// Whether `pool` can be asked of this problem. Folded, its columns are those of the panel, and c
// has 8 less.
inline bool can_pool(const Problem& p, Pool pool) {
  return p.m % rows_of(pool) == 0 && (pool != Pool::kFolded || (p.n > 8 && p.n <= 16));
}

// The rows that remain of `acc`, [m / rows_of(pool), n or n - 8], requantized.
inline std::vector<std::uint8_t> pooled_codes_of(const Problem& p, Pool pool,
                                                 const std::vector<std::int32_t>& acc) {
  const std::int64_t rows = rows_of(pool), n = pool == Pool::kFolded ? p.n - 8 : p.n;
  std::vector<std::uint8_t> result;
  for (std::int64_t i = 0; i < p.m; i += rows) {
    for (std::int64_t j = 0; j < n; ++j) {
      std::int32_t largest = INT32_MIN;
      for (std::int64_t r = i; r < i + rows; ++r) {
        largest = std::max(largest, acc[static_cast<std::size_t>(r * p.n + j)]);
        if (pool != Pool::kFolded) continue;
        largest = std::max(largest, acc[static_cast<std::size_t>(r * p.n + j + 8)]);
      }
      const auto column = static_cast<std::size_t>(j);
      const Requant requant{p.multiplier[column], p.shift[column]};
      result.push_back(static_cast<std::uint8_t>(
          requantize_one(largest, requant, p.zero_point, p.clamp_min, p.clamp_max)));
    }
  }
  return result;
}

}  // namespace octet::kernels
