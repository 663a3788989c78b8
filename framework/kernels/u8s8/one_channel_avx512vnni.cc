#include <immintrin.h>

#include <cstring>

#include "kernels/u8s8/epilogue_avx512.h"
#include "kernels/u8s8/one_channel.h"

// 32 pixels of two rows of the convolution at a time (16 for more than six output channels), which
// become 16 pixels of one row behind the pool. A group of four taps of 16 pixels is 19 bytes of the
// image, spread so that each lane has its four; a weight is broadcast to all.
namespace octet::kernels {
namespace {

constexpr std::int64_t kOutputs = OneChannelArgs::kMostOutputs;

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
[[gnu::always_inline]] inline void run_block(const OneChannelArgs& args, const std::uint8_t* row,
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
void run(const OneChannelArgs& args, std::uint8_t* c) {
  constexpr int kHalves = N <= 6 ? 2 : 1;
  for (std::int64_t i = 0; i < args.rows; ++i) {
    std::int64_t left = args.pixels;
    const std::uint8_t* row = args.a + 2 * i * args.line;
    for (; kHalves == 2 && left > 8; left -= 16, row += 32) {
      const std::int64_t count = left < 16 ? left : 16;
      run_block<N, kHalves>(args, row, count, c);
      c += N * count;
    }
    for (; left > 0; left -= 8, row += 16) {
      const std::int64_t count = left < 8 ? left : 8;
      run_block<N, 1>(args, row, count, c);
      c += N * count;
    }
  }
}

}  // namespace

void one_channel_avx512vnni(const OneChannelArgs& args, std::uint8_t* c) {
  switch (args.n) {
    case 1:
      return run<1>(args, c);
    case 2:
      return run<2>(args, c);
    case 3:
      return run<3>(args, c);
    case 4:
      return run<4>(args, c);
    case 5:
      return run<5>(args, c);
    case 6:
      return run<6>(args, c);
    case 7:
      return run<7>(args, c);
    default:
      return run<8>(args, c);
  }
}

}  // namespace octet::kernels
