#include <immintrin.h>

#include "kernels/u8s8/gemm_tiles.h"

// 6 x 64 tile: zmm0-23 accumulators (4 per row), 4 registers of weights [16 columns][4 k], one of
// broadcast activations; where a panel has at most 32 or 16 columns, 12 rows of 2 or 1. vpdpbusd
// adds four u8 x s8 products to an int32 without saturation.

// Pins an accumulator to a register (gemm_tiles.h).
#ifndef OCTET_PIN  // the tests' emulation has nothing to pin
#define OCTET_PIN(vector) asm volatile("" : "+v"(vector))
#endif

namespace octet::kernels {
namespace {

__m512i load(const std::int32_t* p) { return _mm512_loadu_si512(p); }

// eq. (9) for 16 columns. The high half of a 64-bit product is the result; products of the odd
// columns are shifted down first.
__m512i requantize(__m512i acc, const Epilogue& e, std::int64_t column) {
  if (!e.all_shifts_zero) {
    const __m512i shift = load(e.shift + column);
    const __mmask16 shifted = _mm512_test_epi32_mask(shift, shift);
    const __m512i limit = _mm512_srlv_epi32(_mm512_set1_epi32(1 << 30), shift);
    acc = _mm512_mask_min_epi32(acc, shifted, acc, limit);
    acc = _mm512_mask_max_epi32(acc, shifted, acc, _mm512_sub_epi32(_mm512_setzero_si512(), limit));
    acc = _mm512_sllv_epi32(acc, shift);
  }
  const __m512i multiplier = load(e.multiplier + column);
  const __m512i half = _mm512_set1_epi64(std::int64_t{1} << 31);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(acc, multiplier), half);
  const __m512i odd = _mm512_add_epi64(
      _mm512_mul_epi32(_mm512_srli_epi64(acc, 32), _mm512_srli_epi64(multiplier, 32)), half);
  const __m512i high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
  const __m512i y = _mm512_add_epi32(high, _mm512_set1_epi32(e.zero_point));
  return _mm512_min_epi32(_mm512_max_epi32(y, _mm512_set1_epi32(e.clamp_min)),
                          _mm512_set1_epi32(e.clamp_max));
}

// eq. (12) for 16 columns of codes in 32 bits.
__m512i add_residual(__m512i a, __m512i b, const Residual& add) {
  const __m512i half = _mm512_set1_epi32(add.params.offset + (1 << (add.params.shift - 1)));
  const __m512i products =
      _mm512_add_epi32(_mm512_mullo_epi32(a, _mm512_set1_epi32(add.params.multiplier_a)),
                       _mm512_mullo_epi32(b, _mm512_set1_epi32(add.params.multiplier_b)));
  const __m512i sum =
      _mm512_sra_epi32(_mm512_add_epi32(products, half), _mm_cvtsi32_si128(add.params.shift));
  const __m512i y = _mm512_add_epi32(sum, _mm512_set1_epi32(add.zero_point));
  return _mm512_min_epi32(_mm512_max_epi32(y, _mm512_set1_epi32(add.clamp_min)),
                          _mm512_set1_epi32(add.clamp_max));
}

void store(std::int32_t* c, std::ptrdiff_t at, __mmask16 mask, __m512i acc, const Epilogue&,
           std::int64_t) {
  _mm512_mask_storeu_epi32(c + at, mask, acc);
}

void store(std::uint8_t* c, std::ptrdiff_t at, __mmask16 mask, __m512i acc, const Epilogue& e,
           std::int64_t column) {
  __m512i codes = requantize(acc, e, column);
  if (e.residual.codes != nullptr) {
    const __m128i b = _mm_maskz_loadu_epi8(mask, e.residual.codes + at);
    codes = add_residual(codes, _mm512_cvtepu8_epi32(b), e.residual);
  }
  _mm_mask_storeu_epi8(c + at, mask, _mm512_cvtepi32_epi8(codes));
}

// Row i of acc becomes the largest of the rows that pooling makes one.
template <Pool kPool, int Rows, int kVectors>
[[gnu::always_inline]] inline void pool_rows(__m512i (&acc)[Rows][kVectors]) {
  constexpr int kGroup = rows_of(kPool);
  if constexpr (kPool == Pool::kNone) return;
#pragma GCC unroll 12
  for (int i = 0; i < Rows / kGroup; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      __m512i largest = acc[kGroup * i][v];
#pragma GCC unroll 8
      for (int r = 1; r < kGroup; ++r) {
        largest = _mm512_max_epi32(largest, acc[kGroup * i + r][v]);
      }
      if (kPool == Pool::kFolded) {  // columns 8 to 15 onto 0 to 7
        const __m512i upper = _mm512_castsi256_si512(_mm512_extracti64x4_epi64(largest, 1));
        largest = _mm512_max_epi32(largest, upper);
      }
      acc[i][v] = largest;
    }
  }
}

// kVectors of a panel's four.
template <int Vectors>
struct Kernel {
  static constexpr int kVectors = Vectors;
  static constexpr std::int64_t kMr = kVectors == 4 ? 6 : 12, kNr = 64;

  // Four activations of each row, a(r) being row r's.
  template <int Rows, class A>
  [[gnu::always_inline]] static void multiply_add(__m512i (&acc)[Rows][kVectors], const A& a,
                                                  const std::int8_t* w) {
    __m512i weights[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) weights[v] = _mm512_load_si512(w + 64 * v);
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
      const __m512i broadcast = _mm512_set1_epi32(a(r));
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], broadcast, weights[v]);
      }
    }
  }

  // Vector v of the first kRows rows.
  template <Pool kPool, int kRows, int Rows, class C>
  [[gnu::always_inline]] static void store_vector(C* c, const Tile& tile,
                                                  const __m512i (&acc)[Rows][kVectors], int v) {
    const std::int64_t left = tile.columns - 16 * v;
    if (left <= 0) return;
    const auto mask = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1 << left) - 1);
    const std::int64_t column = tile.first + 16 * v;
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      store(c, tile.c<kPool>(r) + 16 * v, mask, acc[r][v], tile.args.epilogue, column);
    }
  }

  template <int Rows, Pool kPool, class C>
  static void run(const Tile& tile, C* c) {
    const GemmArgs& args = tile.args;
    const Epilogue& e = args.epilogue;
    __m512i acc[Rows][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const __m512i bias = load(e.bias + tile.first + 16 * v);
#pragma GCC unroll 12
      for (int r = 0; r < Rows; ++r) acc[r][v] = bias;
    }

    multiply_runs<Kernel, Rows>(acc, tile);

#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) OCTET_PIN(acc[r][v]);
    }
    pool_rows<kPool>(acc);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      store_vector<kPool, Rows / rows_of(kPool)>(c, tile, acc, v);
    }
  }
};

template <class C>
void gemm(const GemmArgs& args, C* c) {
  const std::int64_t rest = args.n % 64, whole = args.n - rest;
  if (rest > 32) return for_each_tile<Kernel<4>>(args, 0, args.n, c);
  for_each_tile<Kernel<4>>(args, 0, whole, c);
  if (rest > 16) {
    for_each_tile<Kernel<2>>(args, whole, args.n, c);
  } else {
    for_each_tile<Kernel<1>>(args, whole, args.n, c);
  }
}

}  // namespace

void u8s8_gemm_6x64_avx512vnni(const GemmArgs& args, std::uint8_t* c) { gemm(args, c); }

void u8s8_gemm_6x64_avx512vnni(const GemmArgs& args, std::int32_t* c) { gemm(args, c); }

}  // namespace octet::kernels
