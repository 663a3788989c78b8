#include <immintrin.h>

#include <cstring>

#include "kernels/f32/batch_norm_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/halve_rows.h"
#include "kernels/f32/transpose_ymm.h"
#include "kernels/f32/winner_rows.h"

namespace octet::kernels {
namespace {

// of[bits]: the numbers of the bits that are set, ascending.
struct SetLanes {
  std::uint8_t of[256][8] = {};
  constexpr SetLanes() {
    for (int bits = 0; bits < 256; ++bits) {
      int count = 0;
      for (int lane = 0; lane < 8; ++lane) {
        if ((bits >> lane & 1) != 0) of[bits][count++] = static_cast<std::uint8_t>(lane);
      }
    }
  }
};
constexpr SetLanes kSetLanes;

// 16 registers: 12 accumulators, up to 2 vectors of b, 1 broadcast.
struct Vector8 {
  using Reg = __m256;
  struct Mask {
    __m256i lanes;
    int n;
  };
  using Narrow = Vector8;
  static constexpr int kWidth = 8;
  static constexpr int kMaxVectors = 2;
  static constexpr bool kMasksCost = true;
  static constexpr int max_rows(int vectors, bool) { return vectors == 1 ? 12 : 6; }

  static Mask mask(std::int64_t n) {
    const int count = static_cast<int>(n);
    return {_mm256_cmpgt_epi32(_mm256_set1_epi32(count), iota()), count};
  }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load(const float* p, Mask m) { return _mm256_maskload_ps(p, m.lanes); }
  static void store(float* p, Reg r) { _mm256_storeu_ps(p, r); }
  // A masked store takes some twenty micro-operations on AMD's processors; two that overlap do not.
  static void store(float* p, Reg r, Mask m) {
    if (m.n < 4) return _mm256_maskstore_ps(p, m.lanes, r);
    const __m256i last = _mm256_add_epi32(_mm256_set1_epi32(m.n - 4), iota());
    _mm_storeu_ps(p, _mm256_castps256_ps128(r));
    _mm_storeu_ps(p + m.n - 4, _mm256_castps256_ps128(_mm256_permutevar8x32_ps(r, last)));
  }
  static void stream(float* p, Reg r) { _mm256_stream_ps(p, r); }
  static void stream_end() { _mm_sfence(); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg relu(Reg r) { return _mm256_max_ps(zero(), r); }
  static Reg least(Reg r, const float* p) { return _mm256_min_ps(_mm256_broadcast_ss(p), r); }
  static Reg where_positive(Reg y, Reg r) {
    return _mm256_and_ps(_mm256_cmp_ps(y, zero(), _CMP_GT_OQ), r);
  }

  using Wins = __m256;
  using Cells = __m256i;
  static Wins larger(Reg v, Reg best) {
    return _mm256_or_ps(_mm256_cmp_ps(v, best, _CMP_GT_OQ), _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  }
  static Reg select(Wins w, Reg a, Reg b) { return _mm256_blendv_ps(b, a, w); }
  static Cells select(Wins w, Cells a, Cells b) {
    return _mm256_blendv_epi8(b, a, _mm256_castps_si256(w));
  }
  static Cells cells(int k) { return _mm256_set1_epi32(k); }
  static Wins equal(Cells c, int k) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(c, cells(k))); }
  static Cells load_cells(const std::uint8_t* p, std::int64_t n) {
    if (n == kWidth) {
      return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    }
    std::int64_t bytes = 0;
    if (n >= 4) {  // two loads that overlap: a copy of any length would be a call
      std::uint32_t first, last;
      std::memcpy(&first, p, 4);
      std::memcpy(&last, p + n - 4, 4);
      bytes = static_cast<std::int64_t>(first | std::uint64_t{last} << (8 * (n - 4)));
    } else {
      std::memcpy(&bytes, p, static_cast<std::size_t>(n));
    }
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes));
  }
  static void store_cells(std::uint8_t* p, Cells c, std::int64_t n) {
    const __m256i lows =
        _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12,
                         -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i halves = _mm256_shuffle_epi8(c, lows);
    const std::int64_t bytes = _mm_cvtsi128_si64(
        _mm_unpacklo_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1)));
    if (n >= 4) {
      const std::int64_t last = bytes >> (8 * (n - 4));
      std::memcpy(p, &bytes, 4);
      std::memcpy(p + n - 4, &last, 4);
    } else {
      std::memcpy(p, &bytes, static_cast<std::size_t>(n));
    }
  }
  static Cells half(Cells c) { return _mm256_srli_epi32(c, 1); }
  static Wins both(Wins a, Wins b) { return _mm256_and_ps(a, b); }
  static Wins nonzero(Reg r) { return _mm256_cmp_ps(r, zero(), _CMP_NEQ_UQ); }
  static constexpr int kSpreadSums = 6;
  struct Order {
    __m256i lanes;  // modulo 8
    __m256 of_a;
  };
  static Order shift(int n) {
    const __m256i lanes = _mm256_add_epi32(cells(n), iota());
    return {lanes, _mm256_castsi256_ps(_mm256_cmpgt_epi32(cells(kWidth), lanes))};
  }
  static Reg shifted(Reg a, Reg b, const Order& order) {
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(b, order.lanes),
                            _mm256_permutevar8x32_ps(a, order.lanes), order.of_a);
  }
  static Cells sum(Cells a, Cells b) { return _mm256_add_epi32(a, b); }
  static Cells if_odd(Cells c, int k) {
    const __m256i one = cells(1);
    return _mm256_and_si256(_mm256_cmpeq_epi32(_mm256_and_si256(c, one), one), cells(k));
  }
  static Cells load_ints(const std::int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store_ints(std::int32_t* p, Cells c) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), c);
  }
  static std::int64_t append(Wins w, Reg g, Cells places, float* gradients, std::int32_t* to) {
    const int lanes = _mm256_movemask_ps(w);
    const __m256i order = _mm256_cvtepu8_epi32(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kSetLanes.of[lanes])));
    store(gradients, _mm256_permutevar8x32_ps(g, order));
    store_ints(to, _mm256_permutevar8x32_epi32(places, order));
    return __builtin_popcount(static_cast<unsigned>(lanes));
  }
  static Reg evens(Reg a, Reg b) { return in_order(_mm256_shuffle_ps(a, b, 0x88)); }
  static Reg odds(Reg a, Reg b) { return in_order(_mm256_shuffle_ps(a, b, 0xdd)); }
  static void transpose(Reg (&r)[8]) { transpose_8x8(r); }
  static void transpose(Cells (&c)[8]) { transpose_8x8(c); }

 private:
  // What shuffles of two halves each leave.
  static Reg in_order(Reg r) {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(r), 0xd8));
  }
  static __m256i iota() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
};

}  // namespace

void f32_gemm_avx2(const GemmF32Args& args) { gemm<Vector8>(args); }

void f32_relu_backward_avx2(std::int64_t rows, std::int64_t columns, std::ptrdiff_t stride,
                            const float* y, const float* dy, float* masked) {
  relu_backward<Vector8>(rows, columns, stride, y, dy, masked);
}

void f32_batch_norm_statistics_avx2(std::int64_t count, std::int64_t lanes, const float* x,
                                    float* partial) {
  batch_norm_statistics<Vector8>(count, lanes, x, partial);
}

void f32_batch_norm_forward_avx2(const BatchNormForwardArgs& args) {
  batch_norm_forward<Vector8>(args);
}

void f32_batch_norm_backward_avx2(const BatchNormBackwardArgs& args) {
  batch_norm_backward<Vector8>(args);
}

void f32_halve_avx2(std::int64_t rows, std::int64_t width, std::int64_t channels, const float* x,
                    float* y, std::uint8_t* cells) {
  halve<Vector8>(rows, width, channels, x, y, cells);
}

void f32_halve_planes_avx2(std::int64_t rows, std::int64_t width, std::int64_t channels,
                           const float* x, float* y, std::uint8_t* cells) {
  halve_planes<Vector8>(rows, width, channels, x, y, cells);
}

void f32_halve_backward_avx2(std::int64_t width, std::int64_t channels, int cell, const float* dy,
                             const float* y, const std::uint8_t* cells, float* dx) {
  halve_backward<Vector8>(width, channels, cell, dy, y, cells, dx);
}

std::int64_t f32_winner_places_avx2(const WinnerPlacesArgs& args, float* gradients,
                                    std::uint32_t* places) {
  return winner_places<Vector8>(args, gradients, places);
}

void f32_winner_lists_avx2(const WinnerListsArgs& args) { winner_lists<Vector8>(args); }

void f32_winner_bias_avx2(const WinnerBiasArgs& args) { winner_bias<Vector8>(args); }

void f32_winner_sums_avx2(const WinnerSumsArgs& args) { winner_sums<Vector8>(args); }

void f32_winner_spread_avx2(const WinnerSpreadArgs& args) { winner_spread<Vector8>(args); }

}  // namespace octet::kernels
