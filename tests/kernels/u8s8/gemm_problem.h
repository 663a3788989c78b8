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

// Integer matrix products for tests: random and extreme operands, and what comes out by definition.
namespace octet::kernels {

constexpr std::uint64_t kSeed = 8;

enum class Codes { kRandom, kSmall, kAll0, kAll255 };
enum class Weights { kRandom, kSmall, kAllMinus128, kAll127, kExtremes };

struct Problem {
  std::int64_t index = -1;  // of random_problem
  std::int64_t m = 1, n = 1, k = 1;
  std::int64_t a_gap = 0, c_gap = 0;  // stride minus row length
  Codes codes = Codes::kRandom;
  Weights weights = Weights::kRandom;
  testing::Guard guard = testing::Guard::kAfter;
  int max_shift = 0;
  std::int32_t zero_point = 0, clamp_min = 0, clamp_max = 255;
  std::vector<std::uint8_t> a;  // [m, k]
  std::vector<std::int8_t> w;   // [n, k]
  std::vector<std::int32_t> bias, multiplier, shift;
};

// The line to repeat a failure with.
inline std::string describe(const GemmKernel& kernel, const Problem& p) {
  return message(kernel.name, " OCTET_TEST_CASE=", p.index, " m=", p.m, " n=", p.n, " k=", p.k,
                 " a_stride=", p.k + p.a_gap, " c_stride=", p.n + p.c_gap,
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

// A random problem with sizes around the edges of tiles and of groups of k.
inline Problem random_problem(const GemmKernel& kernel, std::int64_t index) {
  Rng rng(kSeed, RngPurpose::kTest, 0, static_cast<std::uint32_t>(index));
  const std::int64_t mr = kernel.mr, nr = kernel.nr;
  Problem p;
  p.index = index;
  p.m = pick<std::int64_t>(rng, {1, 1, 2, 3, 4, 5, mr, mr + 1, 2 * mr - 1, 2 * mr + 1, 13, 25});
  p.n = pick<std::int64_t>(
      rng, {1, 2, 3, 4, 6, 10, 15, 16, 17, 31, 33, 63, 64, 65, 84, 120, nr, nr + 1, 2 * nr - 1});
  p.k =
      pick<std::int64_t>(rng, {1,  2,  3,  4,  5,   7,   8,   15,  16,  17,  25,  27,  31,  32,  33,
                               63, 64, 65, 75, 127, 150, 255, 256, 257, 400, 511, 513, 771, 1030});
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
  return p;
}

// The definition, in 64 bits: Error if an accumulator leaves int32, which breaks the contract.
inline std::vector<std::int32_t> accumulators(const Problem& p) {
  std::vector<std::int32_t> result;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      std::int64_t acc = p.bias[static_cast<std::size_t>(j)];
      const std::uint8_t* a = &p.a[static_cast<std::size_t>(i * p.k)];
      const std::int8_t* w = &p.w[static_cast<std::size_t>(j * p.k)];
      for (std::int64_t x = 0; x < p.k; ++x) acc += a[x] * w[x];
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
    result.push_back(static_cast<std::uint8_t>(requantize_one(
        acc[i], {p.multiplier[j], p.shift[j]}, p.zero_point, p.clamp_min, p.clamp_max)));
  }
  return result;
}

}  // namespace octet::kernels
