#include <immintrin.h>

#include "kernels/bf16/pair_rows.h"
#include "kernels/f32/gemm_tile.h"

// AVX-512 BF16 in AVX2's words: a pair's products are two fused multiply-adds, and MXCSR is set so
// that they treat denormals as the instruction does.
namespace octet::kernels {
namespace {

// From here on denormals are zero, as operands and as results, and rounding is to nearest even.
// The fences keep what is computed from memory inside. Returns what to restore.
unsigned flush_denormals() {
  constexpr unsigned kRounding = 0x6000, kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  const unsigned before = _mm_getcsr();
  _mm_setcsr((before & ~kRounding) | kFlushToZero | kDenormalsAreZero);
  asm volatile("" ::: "memory");
  return before;
}

void restore(unsigned before) {
  asm volatile("" ::: "memory");
  _mm_setcsr(before);
}

// 16 registers: 8 accumulators, 2 of each vector of b and 2 of the broadcast: a pair's elements are
// apart.
struct Vector8 {
  using Reg = __m256;
  using Mask = __m256i;
  using Narrow = Vector8;
  static constexpr int kWidth = 8;
  static constexpr int kMaxVectors = 2;
  static constexpr bool kMasksCost = true;
  static constexpr int max_rows(int vectors, bool) { return vectors == 1 ? 8 : 4; }

  static Mask mask(std::int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
  static void store(float* p, Reg r) { _mm256_storeu_ps(p, r); }
  static void store(float* p, Reg r, Mask m) { _mm256_maskstore_ps(p, m, r); }
  static Reg fma(Reg a, Reg b, Reg c) {
    return _mm256_fmadd_ps(even(a), even(b), _mm256_fmadd_ps(odd(a), odd(b), c));
  }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg relu(Reg r) { return _mm256_max_ps(zero(), r); }
  static Reg least(Reg r, const float* p) { return _mm256_min_ps(_mm256_broadcast_ss(p), r); }

  static Reg pair(Reg e, Reg o) {
    return _mm256_castsi256_ps(_mm256_or_si256(_mm256_srli_epi32(rounded(e), 16), rounded(o)));
  }
  static Reg pair_adjacent(Reg a, Reg b) {
    const __m256 low = _mm256_castsi256_ps(together(rounded(a)));
    const __m256 high = _mm256_castsi256_ps(together(rounded(b)));
    const __m256 mixed = _mm256_shuffle_ps(low, high, 0x88);  // the lower half of each 64 bits
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xD8));
  }

 private:
  static Reg even(Reg pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs), 16));
  }
  static Reg odd(Reg pairs) {
    return _mm256_and_ps(pairs, _mm256_castsi256_ps(_mm256_set1_epi32(-0x10000)));
  }
  // Two floats of 16 bits in the lower half of their 64 bits.
  static __m256i together(__m256i floats) {
    return _mm256_or_si256(_mm256_srli_epi64(floats, 32), _mm256_srli_epi64(floats, 16));
  }
  // As to_bf16, with zeros in the lower half.
  static __m256i rounded(Reg value) {
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
    const __m256i last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i near = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), last);
    const __m256i is_nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7F800000));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i is_tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);
    const __m256i sign = _mm256_andnot_si256(_mm256_set1_epi32(0x7FFFFFFF), bits);
    const __m256i upper =
        _mm256_blendv_epi8(_mm256_blendv_epi8(near, quiet, is_nan), sign, is_tiny);
    return _mm256_and_si256(upper, _mm256_set1_epi32(-0x10000));
  }
};

}  // namespace

void bf16_gemm_avx2(const GemmF32Args& args) {
  const unsigned before = flush_denormals();
  gemm<Vector8>(args);
  restore(before);
}

void bf16_pair_rows_avx2(std::int64_t count, const float* even, const float* odd, float* pairs) {
  pair_rows<Vector8>(count, even, odd, pairs);
}

void bf16_pair_columns_avx2(std::int64_t rows, std::int64_t columns, const float* x, float* pairs) {
  pair_columns<Vector8>(rows, columns, x, pairs);
}

}  // namespace octet::kernels
