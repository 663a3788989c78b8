#include "kernels/u8s8/gemm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/guarded_buffer.h"
#include "tests/kernels/u8s8/gemm_problem.h"

// Every kernel of kernels.inc against the definition in gemm.h, ==. A case is a function of its
// index alone; on failure the log names it, and OCTET_TEST_CASE=<index> runs it alone.
// OCTET_TEST_SHAPES is the number of random cases per kernel (300 unless set).
namespace octet::kernels {
namespace {

using testing::FaultReport;
using testing::Guard;
using testing::GuardedBuffer;
using testing::GuardedRows;

std::int64_t environment_number(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoll(text, nullptr, 10) : otherwise;
}

// Copies `values` to a guarded buffer, padded with zeros to `size`.
GuardedBuffer<std::int32_t> padded(const std::vector<std::int32_t>& values, std::size_t size) {
  GuardedBuffer<std::int32_t> buffer(size, Guard::kAfter);
  std::copy(values.begin(), values.end(), buffer.begin());
  return buffer;
}

// Says where c differs from `expected` or was written outside of its rows; "" if nowhere.
template <class C>
std::string difference(const Problem& p, const GuardedBuffer<C>& c, const std::vector<C>& before,
                       const std::vector<C>& expected) {
  std::vector<C> want = before;
  for (std::int64_t i = 0; i < p.m; ++i) {
    std::copy_n(expected.begin() + i * p.n, p.n, want.begin() + p.place(i) * (p.n + p.c_gap));
  }
  for (std::size_t x = 0; x < c.size(); ++x) {
    if (c[x] != want[x]) return message("c[", x, "] is ", +c[x], ", expected ", +want[x]);
  }
  return "";
}

// The problem's rows and, folded, its columns pooled. Says what is wrong; "" if nothing is.
std::string run_pooled(const GemmKernel& kernel, const Problem& p, Pool pool, GemmArgs args,
                       const std::vector<std::int32_t>& acc) {
  const std::vector<std::uint8_t> want = pooled_codes_of(p, pool, acc);
  args.pool = pool;
  args.n = pool == Pool::kFolded ? p.n - 8 : p.n;
  std::vector<std::ptrdiff_t> c_rows;
  for (std::int64_t i = 0; i < p.m / rows_of(pool); ++i) c_rows.push_back(i * args.n);
  args.c_rows = c_rows.data();
  GuardedBuffer<std::uint8_t> c(want.size(), p.guard);
  std::fill(c.begin(), c.end(), std::uint8_t{0x5A});
  kernel.gemm_u8(args, c.data());
  for (std::size_t x = 0; x < want.size(); ++x) {
    if (c[x] == want[x]) continue;
    return message("pooled ", rows_of(pool), " c[", x, "] is ", +c[x], ", expected ", +want[x],
                   " in ", describe(kernel, p));
  }
  return "";
}

// Runs one problem through both entry points, with rows of `a` that are `a_stride` apart. Says what
// is wrong; "" if nothing is.
std::string run(const GemmKernel& kernel, const Problem& p, const std::uint8_t* a,
                std::ptrdiff_t a_stride) {
  const FaultReport report("touched a guard page: " + describe(kernel, p));
  const PackedK k(kernel, p.k, p.piece_size());
  GuardedBuffer<std::byte> packed((packed_weight_bytes(kernel, p.n, k) + 63) / 64 * 64, p.guard);
  pack_weights(kernel, p.w.data(), p.n, k, packed.data());
  const auto channels = static_cast<std::size_t>((p.n + kernel.nr - 1) / kernel.nr * kernel.nr);
  const std::vector<TapRun> runs = runs_of(p, k);
  auto bias = padded(p.bias, channels);
  for (std::int64_t j = 0; j < p.n; ++j) {  // what the offset takes away, modulo 2^32
    std::uint32_t sum = 0;
    for (std::int64_t x = 0; x < p.k; ++x) {
      if (p.present(x / k.piece)) sum += static_cast<std::uint32_t>(p.w[j * p.k + x]);
    }
    auto& to = bias[static_cast<std::size_t>(j)];
    to = static_cast<std::int32_t>(static_cast<std::uint32_t>(to) +
                                   static_cast<std::uint32_t>(kernel.activation_offset) * sum);
  }
  const auto multiplier = padded(p.multiplier, channels), shift = padded(p.shift, channels);
  const std::int64_t stride = p.n + p.c_gap;
  std::vector<std::ptrdiff_t> a_rows, c_rows;
  for (std::int64_t i = 0; i < p.m; ++i) {
    a_rows.push_back(p.place(i) * a_stride);
    c_rows.push_back(p.place(i) * stride);
  }
  const std::size_t scratch_bytes = gemm_scratch_bytes(kernel, p.m, k.panel_k());
  GuardedBuffer<std::byte> scratch(std::max<std::size_t>(64, (scratch_bytes + 63) / 64 * 64),
                                   Guard::kAfter);

  GemmArgs args;
  args.m = p.m;
  args.n = p.n;
  args.a = a;
  args.a_rows = a_rows.data();
  args.runs = runs.data();
  args.run_count = static_cast<std::int64_t>(runs.size());
  args.packed_w = packed.data();
  args.panel_k = k.panel_k();
  args.c_rows = c_rows.data();
  args.scratch = scratch.data();
  Epilogue& e = args.epilogue;
  e = constants_of(p);
  e.bias = bias.data();
  e.multiplier = multiplier.data();
  e.shift = shift.data();

  const auto size = static_cast<std::size_t>((p.m - 1) * stride + p.n);
  const std::vector<std::int32_t> acc = accumulators(p);
  const std::vector<std::int32_t> before_32(size, 0x5A5A5A5A);
  GuardedBuffer<std::int32_t> c32(size, p.guard);
  std::copy(before_32.begin(), before_32.end(), c32.begin());
  kernel.gemm_s32(args, c32.data());
  const std::string s32 = difference<std::int32_t>(p, c32, before_32, acc);
  if (!s32.empty()) return "s32 " + s32 + " in " + describe(kernel, p);

  for (const Pool pool : {Pool::kRows4, Pool::kFolded}) {
    if (!can_pool(p, pool)) continue;
    const std::string pooled = run_pooled(kernel, p, pool, args, acc);
    if (!pooled.empty()) return pooled;
  }

  {  // the same rows with bytes behind the last run, and with weights to fetch beside the products
    std::vector<std::uint8_t> more(static_cast<std::size_t>((p.m - 1) * a_stride + p.row_bytes()));
    for (const std::ptrdiff_t row : a_rows) std::copy_n(a + row, p.row_bytes(), more.begin() + row);
    more.insert(more.end(), {255, 1, 254});
    GemmArgs more_args = args;
    more_args.a = more.data();
    more_args.tails_readable = true;
    more_args.next_w = packed.data();
    std::copy(before_32.begin(), before_32.end(), c32.begin());
    kernel.gemm_s32(more_args, c32.data());
    const std::string s32_more = difference<std::int32_t>(p, c32, before_32, acc);
    if (!s32_more.empty()) return "tails readable, s32 " + s32_more + " in " + describe(kernel, p);
  }

  if (kernel.copied_bytes == 2) {  // the same rows, widened already
    std::vector<std::int16_t> wide(
        static_cast<std::size_t>((p.m - 1) * a_stride + p.row_bytes() + 1));
    for (const std::ptrdiff_t row : a_rows) std::copy_n(a + row, p.row_bytes(), wide.begin() + row);
    GemmArgs wide_args = args;
    wide_args.a = nullptr;
    wide_args.wide_a = wide.data();
    std::copy(before_32.begin(), before_32.end(), c32.begin());
    kernel.gemm_s32(wide_args, c32.data());
    const std::string in_place = difference<std::int32_t>(p, c32, before_32, acc);
    if (!in_place.empty()) return "wide s32 " + in_place + " in " + describe(kernel, p);
    for (const Pool pool : {Pool::kRows4, Pool::kFolded}) {
      if (!can_pool(p, pool)) continue;
      const std::string pooled = run_pooled(kernel, p, pool, wide_args, acc);
      if (!pooled.empty()) return "wide " + pooled;
    }
  }

  // The residual is in a buffer of its own, then in c itself.
  std::vector<std::uint8_t> before(size, 0x5A);
  if (p.add) {
    for (std::int64_t i = 0; i < p.m; ++i) {
      std::copy_n(p.b.begin() + i * p.n, p.n, before.begin() + p.place(i) * stride);
    }
  }
  GuardedBuffer<std::uint8_t> b(size, p.guard), c8(size, p.guard);
  std::copy(before.begin(), before.end(), b.begin());
  for (const bool in_place : {false, true}) {
    if (in_place && !p.add) break;
    std::copy(before.begin(), before.end(), c8.begin());
    if (p.add) {
      e.residual = p.residual;
      e.residual.codes = in_place ? c8.data() : b.data();
    }
    kernel.gemm_u8(args, c8.data());
    const std::string u8 = difference<std::uint8_t>(p, c8, before, codes_of(p, acc));
    if (!u8.empty()) return message("u8 ", u8, " in ", describe(kernel, p));
  }
  return "";
}

std::string run(const GemmKernel& kernel, const Problem& p) {
  const std::int64_t stride = p.row_bytes() + p.a_gap, piece = p.piece_size();
  GuardedBuffer<std::uint8_t> a(static_cast<std::size_t>((p.m - 1) * stride + p.row_bytes()),
                                p.guard);
  std::fill(a.begin(), a.end(), std::uint8_t{0xEE});
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t q = 0; q < p.pieces(); ++q) {
      std::copy_n(p.a.begin() + i * p.k + q * piece, piece,
                  a.begin() + p.place(i) * stride + q * (piece + p.gap));
    }
  }
  return run(kernel, p, a.data(), stride);
}

void test_random_shapes(const GemmKernel& kernel) {
  const std::int64_t count = environment_number("OCTET_TEST_SHAPES", 300);
  const std::int64_t only = environment_number("OCTET_TEST_CASE", -1);
  REQUIRE(count > 0);
  std::int64_t ran = 0;
  for (std::int64_t index = only < 0 ? 0 : only; index < (only < 0 ? count : only + 1); ++index) {
    const Problem p = random_problem(kernel, index);
    REQUIRE(run(kernel, p) == "");
    ++ran;
  }
  CHECK(ran == (only < 0 ? count : 1));
}

// Weights 0: the accumulator is the bias, so every accumulator meets every shift.
void test_epilogue(const GemmKernel& kernel) {
  Rng rng(kSeed, RngPurpose::kTest, 1);
  int inside = 0;
  for (int shift = -1; shift <= 30; ++shift) {  // -1: 0, and only small multipliers
    const bool small = shift < 0;
    Problem p;
    p.m = kernel.mr + 1;
    p.weights = Weights::kRandom;
    p.a.assign(static_cast<std::size_t>(p.m), 255);
    const std::int32_t limit = shift > 0 ? 1 << (30 - shift) : 1 << 30;
    for (std::int32_t multiplier : {0, 1, 1 << 30, (1 << 30) + 12345, INT32_MAX}) {
      if (small) multiplier = std::min(multiplier, (1 << 30) - 1) >> rng.below(8);
      for (const std::int32_t acc : {INT32_MIN,  INT32_MIN + 1,
                                     -limit - 1, -limit,
                                     -limit + 1, -300,
                                     -2,         -1,
                                     0,          1,
                                     2,          3,
                                     5,          300,
                                     limit - 1,  limit,
                                     limit + 1,  INT32_MAX - 1,
                                     INT32_MAX,  static_cast<std::int32_t>(rng.next())}) {
        p.bias.push_back(acc);
        p.multiplier.push_back(multiplier);
        p.shift.push_back(std::max(shift, 0));
      }
    }
    // Unshifted channels beside shifted ones, and the other way round.
    if (shift > 0) p.shift[3] = p.shift[18] = 0;
    p.n = static_cast<std::int64_t>(p.bias.size());
    p.w.assign(static_cast<std::size_t>(p.n), 0);
    for (const std::int32_t zero_point : {0, 128, 255}) {
      p.zero_point = zero_point;
      p.clamp_min = zero_point == 128 ? 100 : 0;
      p.clamp_max = zero_point == 128 ? 200 : 255;
      REQUIRE(run(kernel, p) == "");
      for (const int code : codes_of(p, accumulators(p))) {
        inside += code > p.clamp_min && code < p.clamp_max;
      }
    }
  }
  CHECK(inside > 1000);  // not everything was clamped
}

void test_row_ends(const GemmKernel& kernel) {
  for (std::int64_t m = 1; m <= 2 * kernel.mr + 1; ++m) {
    for (const std::int64_t k : {1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 64, 65, 257}) {
      Rng rng(kSeed, RngPurpose::kTest, 2, static_cast<std::uint32_t>(1000 * m + k));
      Problem p;
      p.m = m;
      p.k = k;
      p.n = 19;
      fill_operands(p, rng);
      fill_epilogue(p, rng);
      GuardedRows a(static_cast<std::size_t>(m), static_cast<std::size_t>(k));
      for (std::int64_t i = 0; i < m; ++i) {
        std::copy_n(p.a.begin() + i * k, k, a.row(static_cast<std::size_t>(i)));
      }
      REQUIRE(run(kernel, p, a.row(0), static_cast<std::ptrdiff_t>(a.stride())) == "");
    }
  }
}

void test_many_rows(const GemmKernel& kernel) {
  for (const std::int64_t m : {239, 240, 241, 487}) {
    Rng rng(kSeed, RngPurpose::kTest, 3, static_cast<std::uint32_t>(m));
    Problem p;
    p.m = m;
    p.k = 9;
    p.n = 70;
    p.max_shift = 3;
    fill_operands(p, rng);
    fill_epilogue(p, rng);
    REQUIRE(run(kernel, p) == "");
  }
}

void test_longest_sum(const GemmKernel& kernel) {
  for (const Weights weights : {Weights::kAllMinus128, Weights::kAll127}) {
    Rng rng(kSeed, RngPurpose::kTest, 4);
    Problem p;
    p.m = 2;
    p.k = 65000;  // 65000 * 255 * 128 is 99 % of 2^31
    p.n = 3;
    p.codes = Codes::kAll255;
    p.weights = weights;
    fill_operands(p, rng);
    p.bias = {0, 25000000, -25000000};
    p.multiplier = {1000, 100, 10};
    p.shift = {0, 0, 0};
    REQUIRE(run(kernel, p) == "");
  }
}

}  // namespace

// clang-format off
#define OCTET_GEMM_KERNEL(NAME, DEPTHWISE, ISA, ...)                                       \
  TEST_CASE("gemm: " #NAME " equals the definition on random shapes") {         \
    test_kernel(test_random_shapes, select_gemm(Isa::ISA)); \
  }                                                                             \
  TEST_CASE("gemm: " #NAME " requantizes like requantize_one for every shift") { \
    test_kernel(test_epilogue, select_gemm(Isa::ISA)); \
  }                                                                             \
  TEST_CASE("gemm: " #NAME " reads no byte behind a row") {                     \
    test_kernel(test_row_ends, select_gemm(Isa::ISA)); \
  }                                                                             \
  TEST_CASE("gemm: " #NAME " is right on many rows") {             \
    test_kernel(test_many_rows, select_gemm(Isa::ISA)); \
  }                                                                             \
  TEST_CASE("gemm: " #NAME " is exact on the longest sums that fit into int32") { \
    test_kernel(test_longest_sum, select_gemm(Isa::ISA)); \
  }
// clang-format on
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL

TEST_CASE("select_gemm: gives exactly the kernel that was asked for") {
#define OCTET_GEMM_KERNEL(NAME, DEPTHWISE, ISA, ...)       \
  CHECK(select_gemm(Isa::ISA).isa == Isa::ISA);            \
  CHECK(select_gemm(Isa::ISA).name == std::string(#NAME)); \
  CHECK(select_gemm(Isa::ISA).depthwise_name == std::string(#DEPTHWISE));
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL
#if defined(__x86_64__)
  CHECK_THROWS_WITH_AS(select_gemm(Isa::kNeonDot),
                       "this build has no integer kernels for \"neondot\"", Error);
#elif defined(__aarch64__)
  CHECK_THROWS_WITH_AS(select_gemm(Isa::kAvx2), "this build has no integer kernels for \"avx2\"",
                       Error);
#endif
}

TEST_CASE("pack_weights: panels of nr columns, groups of kr, zeros in the tails") {
  const std::vector<std::int8_t> w = {1, 2, 3, 4, 5, 6, -7, -8, -9};  // [3, 3]
  const GemmKernel kernel{"test", "", Isa::kScalar, 1, 2, 2, 0, 0, nullptr, nullptr, nullptr};
  const PackedK whole(kernel, 3, 3);
  REQUIRE(packed_weight_bytes(kernel, 3, whole) == 16);
  std::vector<std::int8_t> packed(16, 99);
  pack_weights(kernel, w.data(), 3, whole, packed.data());
  CHECK(packed == std::vector<std::int8_t>{1, 2, 4, 5, 3, 0, 6, 0, -7, -8, 0, 0, -9, 0, 0, 0});

  const PackedK pieces(kernel, 3, 1);
  CHECK(pieces.panel_k() == 6);
  REQUIRE(packed_weight_bytes(kernel, 2, pieces) == 12);
  packed.assign(12, 99);
  pack_weights(kernel, w.data(), 2, pieces, packed.data());
  CHECK(packed == std::vector<std::int8_t>{1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0});
}

}  // namespace octet::kernels
