#include <immintrin.h>

#include "kernels/bf16/pair_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/vector_avx512.h"

namespace octet::kernels {
namespace {

struct Vector8 : EightLanes {
  using Narrow = Vector8;
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_dpbf16_ps(c, (__m256bh)a, (__m256bh)b); }
};

struct Vector16 : SixteenLanes {
  using Narrow = Vector8;
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b); }

  // The bfloat16 of `low`, and after them those of `high`.
  static __m512i to_bf16(Reg low, Reg high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }
  static Reg pair(Reg even, Reg odd) {
    alignas(64) static constexpr std::int16_t kTurns[32] = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i turns = _mm512_loadu_si512(kTurns);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(turns, to_bf16(even, odd)));
  }
  static Reg pair_adjacent(Reg a, Reg b) { return _mm512_castsi512_ps(to_bf16(a, b)); }
};

}  // namespace

void bf16_gemm_avx512bf16(const GemmF32Args& args) { gemm<Vector16>(args); }

void bf16_pair_rows_avx512bf16(std::int64_t count, const float* even, const float* odd,
                               float* pairs) {
  pair_rows<Vector16>(count, even, odd, pairs);
}

void bf16_pair_columns_avx512bf16(std::int64_t rows, std::int64_t columns, const float* x,
                                  float* pairs) {
  pair_columns<Vector16>(rows, columns, x, pairs);
}

}  // namespace octet::kernels
