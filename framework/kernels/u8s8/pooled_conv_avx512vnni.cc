#include <immintrin.h>

#include <cstring>

#include "kernels/u8s8/epilogue_avx512.h"
#include "kernels/u8s8/pooled_conv.h"

namespace octet::kernels {
namespace {

// --- One channel ---------------------------------------------------------------------------------
//
// The lanes are pixels: 32 of two rows of the convolution, which become 16 pixels of one row behind
// the pool, or 16 that become 8. A group of four taps of 16 pixels is 19 bytes of the image, spread
// so that each lane has its four; a weight is broadcast to all.

constexpr std::int64_t kOutputs = 6;  // of packed weights

// Lane i: bytes i .. i + 3 from `from` on. Reads 32 bytes.
[[gnu::always_inline]] inline __m512i windows(const std::uint8_t* from) {
  const __m512i bytes =
      _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  const __m512i by_quarter = _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6), bytes);
  return _mm512_shuffle_epi8(by_quarter, _mm512_broadcast_i32x4(_mm_setr_epi8(
                                             0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6)));
}

// Accumulators of the two rows, kHalves vectors of 16 pixels each.
template <int N, int kHalves>
struct Sums {
  __m512i upper[kHalves][N], lower[kHalves][N];
};

// One row of the image for the upper row of the result, with the kernel row at `upper`, and for the
// lower one with that at `lower`.
template <bool kUpper, bool kLower, int N, int kHalves>
[[gnu::always_inline]] inline void multiply_row(Sums<N, kHalves>& sums, const std::uint8_t* row,
                                                const std::int32_t* upper,
                                                const std::int32_t* lower, std::int64_t groups) {
  for (std::int64_t g = 0; g < groups; ++g, row += 4, upper += kOutputs, lower += kOutputs) {
    __m512i x[kHalves];
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) x[h] = windows(row + 16 * h);
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) {
      const __m512i for_upper = _mm512_set1_epi32(kUpper ? upper[j] : 0);
      const __m512i for_lower = _mm512_set1_epi32(kLower ? lower[j] : 0);
#pragma GCC unroll 2
      for (int h = 0; h < kHalves; ++h) {
        if (kUpper) sums.upper[h][j] = _mm512_dpbusd_epi32(sums.upper[h][j], x[h], for_upper);
        if (kLower) sums.lower[h][j] = _mm512_dpbusd_epi32(sums.lower[h][j], x[h], for_lower);
      }
    }
  }
}

// Codes of 8 pooled pixels, those of one in the lowest N bytes of each 64-bit lane.
template <bool kShifts, int N>
[[gnu::always_inline]] inline __m512i requantized(const __m512i (&upper)[N],
                                                  const __m512i (&lower)[N], const Epilogue& e) {
  // Only the lower half of each 64-bit lane counts.
  const __m512i half = _mm512_set1_epi64(std::int64_t{1} << 31);
  const __m512i zero_point = _mm512_set1_epi64(e.zero_point), low = _mm512_set1_epi64(e.clamp_min),
                high = _mm512_set1_epi64(e.clamp_max);
  __m512i codes = _mm512_setzero_si512();
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    __m512i largest = _mm512_max_epi32(upper[j], lower[j]);
    largest = _mm512_max_epi32(largest, odd_to_even(largest));
    if (kShifts) largest = shifted(largest, _mm512_set1_epi32(e.shift[j]));
    const __m512i product = _mm512_mul_epi32(largest, _mm512_set1_epi32(e.multiplier[j]));
    __m512i code = _mm512_srli_epi64(_mm512_add_epi64(product, half), 32);
    code = _mm512_add_epi32(code, zero_point);
    code = _mm512_min_epi32(_mm512_max_epi32(code, low), high);
    codes = _mm512_or_si512(codes, _mm512_slli_epi64(code, static_cast<unsigned>(8 * j)));
  }
  return codes;
}

// One block: the image's first row under it is at `row`, and its `count` pooled pixels go to c.
template <int N, int kHalves>
[[gnu::always_inline]] inline void run_block(const PooledConvArgs& args, const std::uint8_t* row,
                                             std::int64_t count, std::uint8_t* c) {
  const Epilogue& e = args.epilogue;
  const std::int64_t groups = (args.kernel_w + 3) / 4, step = groups * kOutputs;
  const auto* w = static_cast<const std::int32_t*>(args.packed_w);
  Sums<N, kHalves> sums;
#pragma GCC unroll 8
  for (int j = 0; j < N; ++j) {
    const __m512i bias = _mm512_set1_epi32(e.bias[j]);
#pragma GCC unroll 2
    for (int h = 0; h < kHalves; ++h) sums.upper[h][j] = sums.lower[h][j] = bias;
  }
  multiply_row<true, false>(sums, row, w, w, groups);
  for (std::int64_t ky = 1; ky < args.kernel_h; ++ky, w += step) {
    row += args.line;
    multiply_row<true, true>(sums, row, w + step, w, groups);
  }
  multiply_row<false, true>(sums, row + args.line, w, w, groups);
  alignas(64) std::uint8_t codes[64 * kHalves];
#pragma GCC unroll 2
  for (int h = 0; h < kHalves; ++h) {
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) {
      OCTET_PIN(sums.upper[h][j]);
      OCTET_PIN(sums.lower[h][j]);
    }
    const __m512i eight = e.all_shifts_zero ? requantized<false>(sums.upper[h], sums.lower[h], e)
                                            : requantized<true>(sums.upper[h], sums.lower[h], e);
    _mm512_store_si512(codes + 64 * h, eight);
  }
  for (std::int64_t p = 0; p < count; ++p) std::memcpy(c + N * p, codes + 8 * p, N);
}

template <int N>
void run_one_channel(const PooledConvArgs& args, std::uint8_t* c) {
  for (std::int64_t i = 0; i < args.rows; ++i) {
    std::int64_t left = args.pixels;
    const std::uint8_t* row = args.a + 2 * i * args.line;
    for (; left > 8; left -= 16, row += 32) {
      const std::int64_t count = left < 16 ? left : 16;
      run_block<N, 2>(args, row, count, c);
      c += N * count;
    }
    if (left > 0) {
      run_block<N, 1>(args, row, left, c);
      c += N * left;
    }
  }
}

// --- Any number of channels ----------------------------------------------------------------------
//
// The lanes are output channels. The same image row is one kernel row of the upper result row and
// another of the lower one: each broadcast of four activations serves both, up to 10 pixels of
// each.

constexpr int kMostPixels = 10;  // with 12 GCC spills

// What PooledConvArgs::next_w has left to fetch, two lines with each group of k.
struct Next {
  const char *at, *end;
  std::ptrdiff_t step = 0;

  explicit Next(const PooledConvArgs& args)
      : at(static_cast<const char*>(args.next_w)), end(at + args.next_bytes) {
    if (at == nullptr) at = end = static_cast<const char*>(args.packed_w);
  }
  void begin_rows() { step = at < end ? 128 : 0; }
  [[gnu::always_inline]] void fetch() {
    __builtin_prefetch(at, 0, 3);
    __builtin_prefetch(at + 64, 0, 3);
    at += step;
  }
};

template <int kPixels>
struct Rows {
  __m512i upper[kPixels], lower[kPixels];
};

template <bool kUpper, bool kLower, int kPixels>
[[gnu::always_inline]] inline void multiply_row(Rows<kPixels>& rows, const std::uint8_t* a,
                                                std::int64_t channels, const std::int8_t* upper,
                                                const std::int8_t* lower, std::int64_t groups,
                                                Next& next) {
  constexpr int kPointers = (kPixels + 2) / 3;  // each third pixel's, and the two behind by index
  const std::uint8_t* pixels[kPointers];
#pragma GCC unroll 4
  for (int q = 0; q < kPointers; ++q) pixels[q] = a + 3 * q * channels;
  for (std::int64_t g = 0; g < groups; ++g, upper += 64, lower += 64) {
    __m512i for_upper, for_lower;
    next.fetch();
    if (kUpper) for_upper = _mm512_load_si512(upper);
    if (kLower) for_lower = _mm512_load_si512(lower);
#pragma GCC unroll 12
    for (int x = 0; x < kPixels; ++x) {
      const __m512i four = _mm512_set1_epi32(load_4(pixels[x / 3] + x % 3 * channels));
      if (kUpper) rows.upper[x] = _mm512_dpbusd_epi32(rows.upper[x], four, for_upper);
      if (kLower) rows.lower[x] = _mm512_dpbusd_epi32(rows.lower[x], four, for_lower);
    }
#pragma GCC unroll 4
    for (int q = 0; q < kPointers; ++q) pixels[q] += 4;
  }
}

// Two rows of kPixels pixels, whose pooled ones go to c.
template <int kPixels>
void run_pixels(const PooledConvArgs& args, const std::uint8_t* a, std::uint8_t* c, Next& next) {
  next.begin_rows();
  const Epilogue& e = args.epilogue;
  const std::int64_t groups = (args.kernel_w * args.channels + 3) / 4, step = 64 * groups;
  const auto* w = static_cast<const std::int8_t*>(args.packed_w);
  Rows<kPixels> rows;
  const __m512i bias = load_16(e.bias);
#pragma GCC unroll 12
  for (int x = 0; x < kPixels; ++x) rows.upper[x] = rows.lower[x] = bias;
  multiply_row<true, false>(rows, a, args.channels, w, w, groups, next);
  for (std::int64_t ky = 1; ky < args.kernel_h; ++ky, w += step) {
    a += args.line;
    multiply_row<true, true>(rows, a, args.channels, w + step, w, groups, next);
  }
  multiply_row<false, true>(rows, a + args.line, args.channels, w, w, groups, next);
#pragma GCC unroll 12
  for (int x = 0; x < kPixels; ++x) {
    OCTET_PIN(rows.upper[x]);
    OCTET_PIN(rows.lower[x]);
  }
  constexpr int kPooled = kPixels / 2;
  alignas(64) std::int32_t sums[(kPooled + 3) / 4 * 64];
  std::ptrdiff_t c_rows[kPooled];
#pragma GCC unroll 8
  for (int p = 0; p < (kPooled + 3) / 4 * 4; ++p) {
    const int x = p < kPooled ? 2 * p : 0;  // what is behind is read and not stored
    const __m512i left = _mm512_max_epi32(rows.upper[x], rows.lower[x]);
    const __m512i right = _mm512_max_epi32(rows.upper[x + 1], rows.lower[x + 1]);
    _mm512_store_si512(sums + 16 * p, _mm512_max_epi32(left, right));
    if (p < kPooled) c_rows[p] = p * args.n;
  }
  const auto requantize =
      e.small_multipliers ? requantize_rows<true, false, 1> : requantize_rows<false, false, 1>;
  requantize(c, c_rows, sums, kPooled, e, 0, args.n);
}

}  // namespace

void pooled_conv_one_channel_avx512vnni(const PooledConvArgs& args, std::uint8_t* c) {
  switch (args.n) {
    case 1:
      return run_one_channel<1>(args, c);
    case 2:
      return run_one_channel<2>(args, c);
    case 3:
      return run_one_channel<3>(args, c);
    case 4:
      return run_one_channel<4>(args, c);
    case 5:
      return run_one_channel<5>(args, c);
    default:
      return run_one_channel<6>(args, c);
  }
}

void pooled_conv_avx512vnni(const PooledConvArgs& args, std::uint8_t* c) {
  // Blocks of nearly equal width.
  const std::int64_t blocks = (2 * args.pixels + kMostPixels - 1) / kMostPixels;
  Next next(args);
  for (std::int64_t r = 0; r < args.rows; ++r) {
    const std::uint8_t* row = args.a + 2 * r * args.line;
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t first = args.pixels * b / blocks;
      const std::int64_t count = args.pixels * (b + 1) / blocks - first;
      const std::uint8_t* a = row + 2 * first * args.channels;
      switch (count) {
        case 1:
          run_pixels<2>(args, a, c, next);
          break;
        case 2:
          run_pixels<4>(args, a, c, next);
          break;
        case 3:
          run_pixels<6>(args, a, c, next);
          break;
        case 4:
          run_pixels<8>(args, a, c, next);
          break;
        default:
          run_pixels<10>(args, a, c, next);
          break;
      }
      c += count * args.n;
    }
  }
}

}  // namespace octet::kernels
