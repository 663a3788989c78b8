#include <immintrin.h>

#include "kernels/f32/batch_norm_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/halve_rows.h"
#include "kernels/f32/transpose_ymm.h"
#include "kernels/f32/vector_avx512.h"
#include "kernels/f32/winner_rows.h"

namespace octet::kernels {
namespace {

struct Vector8 : EightLanes {
  using Narrow = Vector8;
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static Reg where_positive(Reg y, Reg r) {
    return _mm256_maskz_mov_ps(_mm256_cmp_ps_mask(y, zero(), _CMP_GT_OQ), r);
  }

  using Wins = __mmask8;
  using Cells = __m256i;
  static Wins larger(Reg v, Reg best) {
    return static_cast<Wins>(_mm256_cmp_ps_mask(v, best, _CMP_GT_OQ) |
                             _mm256_cmp_ps_mask(v, v, _CMP_UNORD_Q));
  }
  static Reg select(Wins w, Reg a, Reg b) { return _mm256_mask_blend_ps(w, b, a); }
  static Cells select(Wins w, Cells a, Cells b) { return _mm256_mask_blend_epi32(w, b, a); }
  static Cells cells(int k) { return _mm256_set1_epi32(k); }
  static Wins equal(Cells c, int k) { return _mm256_cmpeq_epi32_mask(c, cells(k)); }
  static Cells load_cells(const std::uint8_t* p, std::int64_t n) {
    return _mm256_cvtepu8_epi32(_mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << n) - 1), p));
  }
  static void store_cells(std::uint8_t* p, Cells c, std::int64_t n) {
    _mm_mask_storeu_epi8(p, static_cast<__mmask16>((1u << n) - 1), _mm256_cvtepi32_epi8(c));
  }
  static Cells half(Cells c) { return _mm256_srli_epi32(c, 1); }
  static Wins both(Wins a, Wins b) { return static_cast<Wins>(a & b); }
  static Wins nonzero(Reg r) { return _mm256_cmp_ps_mask(r, zero(), _CMP_NEQ_UQ); }
  static constexpr int kSpreadSums = 12;
  using Order = __m256i;
  static Order shift(int n) {
    return _mm256_add_epi32(cells(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Reg shifted(Reg a, Reg b, Order order) { return _mm256_permutex2var_ps(a, order, b); }
  static Cells sum(Cells a, Cells b) { return _mm256_add_epi32(a, b); }
  static Cells if_odd(Cells c, int k) {
    return _mm256_maskz_mov_epi32(_mm256_test_epi32_mask(c, cells(1)), cells(k));
  }
  static Cells load_ints(const std::int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store_ints(std::int32_t* p, Cells c) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), c);
  }
  // Compressed in registers: to memory it is microcode on AMD's processors.
  static std::int64_t append(Wins w, Reg g, Cells places, float* gradients, std::int32_t* to) {
    store(gradients, _mm256_maskz_compress_ps(w, g));
    store_ints(to, _mm256_maskz_compress_epi32(w, places));
    return __builtin_popcount(w);
  }
  static Reg evens(Reg a, Reg b) {
    return _mm256_permutex2var_ps(a, _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14), b);
  }
  static Reg odds(Reg a, Reg b) {
    return _mm256_permutex2var_ps(a, _mm256_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15), b);
  }
  static void transpose(Reg (&r)[8]) { transpose_8x8(r); }
  static void transpose(Cells (&c)[8]) { transpose_8x8(c); }
};

// Broadcasts are memory operands.
struct Vector16 : SixteenLanes {
  using Narrow = Vector8;
  static void stream(float* p, Reg r) { _mm512_stream_ps(p, r); }
  static void stream_end() { _mm_sfence(); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg where_positive(Reg y, Reg r) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, zero(), _CMP_GT_OQ), r);
  }

  using Wins = __mmask16;
  using Cells = __m512i;
  static Wins larger(Reg v, Reg best) {
    return static_cast<Wins>(_mm512_cmp_ps_mask(v, best, _CMP_GT_OQ) |
                             _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q));
  }
  static Reg select(Wins w, Reg a, Reg b) { return _mm512_mask_blend_ps(w, b, a); }
  static Cells select(Wins w, Cells a, Cells b) { return _mm512_mask_blend_epi32(w, b, a); }
  static Cells cells(int k) { return _mm512_set1_epi32(k); }
  static Wins equal(Cells c, int k) { return _mm512_cmpeq_epi32_mask(c, cells(k)); }
  static Cells load_cells(const std::uint8_t* p, std::int64_t n) {
    return _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(static_cast<__mmask16>((1u << n) - 1), p));
  }
  static void store_cells(std::uint8_t* p, Cells c, std::int64_t n) {
    _mm_mask_storeu_epi8(p, static_cast<__mmask16>((1u << n) - 1), _mm512_cvtepi32_epi8(c));
  }
  static Cells half(Cells c) { return _mm512_srli_epi32(c, 1); }
  static Wins both(Wins a, Wins b) { return static_cast<Wins>(a & b); }
  static Wins nonzero(Reg r) { return _mm512_cmp_ps_mask(r, zero(), _CMP_NEQ_UQ); }
  static constexpr int kSpreadSums = 12;
  using Order = __m512i;
  static Order shift(int n) {
    return _mm512_add_epi32(
        cells(n), _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  }
  static Reg shifted(Reg a, Reg b, Order order) { return _mm512_permutex2var_ps(a, order, b); }
  static Cells sum(Cells a, Cells b) { return _mm512_add_epi32(a, b); }
  static Cells if_odd(Cells c, int k) {
    return _mm512_maskz_mov_epi32(_mm512_test_epi32_mask(c, cells(1)), cells(k));
  }
  static Cells load_ints(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static void store_ints(std::int32_t* p, Cells c) { _mm512_storeu_si512(p, c); }
  // Compressed in registers: to memory it is microcode on AMD's processors.
  static std::int64_t append(Wins w, Reg g, Cells places, float* gradients, std::int32_t* to) {
    store(gradients, _mm512_maskz_compress_ps(w, g));
    store_ints(to, _mm512_maskz_compress_epi32(w, places));
    return __builtin_popcount(w);
  }
};

}  // namespace

void f32_gemm_avx512(const GemmF32Args& args) { gemm<Vector16>(args); }

void f32_relu_backward_avx512(std::int64_t rows, std::int64_t columns, std::ptrdiff_t stride,
                              const float* y, const float* dy, float* masked) {
  relu_backward<Vector16>(rows, columns, stride, y, dy, masked);
}

void f32_batch_norm_statistics_avx512(std::int64_t count, std::int64_t lanes, const float* x,
                                      float* partial) {
  batch_norm_statistics<Vector16>(count, lanes, x, partial);
}

void f32_batch_norm_forward_avx512(const BatchNormForwardArgs& args) {
  batch_norm_forward<Vector16>(args);
}

void f32_batch_norm_backward_avx512(const BatchNormBackwardArgs& args) {
  batch_norm_backward<Vector16>(args);
}

void f32_halve_avx512(std::int64_t rows, std::int64_t width, std::int64_t channels, const float* x,
                      float* y, std::uint8_t* cells) {
  halve<Vector16>(rows, width, channels, x, y, cells);
}

void f32_halve_planes_avx512(std::int64_t rows, std::int64_t width, std::int64_t channels,
                             const float* x, float* y, std::uint8_t* cells) {
  halve_planes<Vector8>(rows, width, channels, x, y, cells);
}

void f32_halve_backward_avx512(std::int64_t width, std::int64_t channels, int cell, const float* dy,
                               const float* y, const std::uint8_t* cells, float* dx) {
  halve_backward<Vector16>(width, channels, cell, dy, y, cells, dx);
}

std::int64_t f32_winner_places_avx512(const WinnerPlacesArgs& args, float* gradients,
                                      std::uint32_t* places) {
  return winner_places<Vector16>(args, gradients, places);
}

void f32_winner_lists_avx512(const WinnerListsArgs& args) { winner_lists<Vector8>(args); }

void f32_winner_bias_avx512(const WinnerBiasArgs& args) { winner_bias<Vector16>(args); }

void f32_winner_sums_avx512(const WinnerSumsArgs& args) { winner_sums<Vector16>(args); }

void f32_winner_spread_avx512(const WinnerSpreadArgs& args) { winner_spread<Vector16>(args); }

}  // namespace octet::kernels
