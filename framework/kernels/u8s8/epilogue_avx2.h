#pragma once

#include <immintrin.h>

#include "kernels/u8s8/gemm_args.h"

// What the AVX2 and the AVX-VNNI kernel do with 8 accumulators. Internal to the including file.
namespace octet::kernels {
namespace {

inline __m256i load_8(const std::int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// eq. (9) for 8 columns. The high half of a 64-bit product is the result; products of the odd
// columns are shifted down first.
inline __m256i requantize_8(__m256i acc, const Epilogue& e, std::int64_t column) {
  if (!e.all_shifts_zero) {
    const __m256i shift = load_8(e.shift + column);
    const __m256i unshifted = _mm256_cmpeq_epi32(shift, _mm256_setzero_si256());
    const __m256i limit = _mm256_srlv_epi32(_mm256_set1_epi32(1 << 30), shift);
    const __m256i low = _mm256_sub_epi32(_mm256_setzero_si256(), limit);
    const __m256i clamped = _mm256_max_epi32(_mm256_min_epi32(acc, limit), low);
    acc = _mm256_sllv_epi32(_mm256_blendv_epi8(clamped, acc, unshifted), shift);
  }
  const __m256i multiplier = load_8(e.multiplier + column);
  const __m256i half = _mm256_set1_epi64x(std::int64_t{1} << 31);
  const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(acc, multiplier), half);
  const __m256i odd = _mm256_add_epi64(
      _mm256_mul_epi32(_mm256_srli_epi64(acc, 32), _mm256_srli_epi64(multiplier, 32)), half);
  const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
  const __m256i y = _mm256_add_epi32(high, _mm256_set1_epi32(e.zero_point));
  return _mm256_min_epi32(_mm256_max_epi32(y, _mm256_set1_epi32(e.clamp_min)),
                          _mm256_set1_epi32(e.clamp_max));
}

// Stores the first `columns` of 16 accumulators.
inline void store_16(std::int32_t* c, const __m256i (&acc)[2], const Epilogue&, std::int64_t,
                     std::int64_t columns) {
  if (columns == 16) {
    for (int v = 0; v < 2; ++v) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(c + 8 * v), acc[v]);
    }
    return;
  }
  alignas(32) std::int32_t all[16];
  for (int v = 0; v < 2; ++v) _mm256_store_si256(reinterpret_cast<__m256i*>(all + 8 * v), acc[v]);
  for (std::int64_t j = 0; j < columns; ++j) c[j] = all[j];
}

inline void store_16(std::uint8_t* c, const __m256i (&acc)[2], const Epilogue& e,
                     std::int64_t column, std::int64_t columns) {
  const __m256i low = requantize_8(acc[0], e, column), high = requantize_8(acc[1], e, column + 8);
  // Codes lie in [0, 255], so both packs are exact; they work on 128-bit halves.
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, high), 0xD8);
  const __m128i codes =
      _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  if (columns == 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(c), codes);
    return;
  }
  alignas(16) std::uint8_t all[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(all), codes);
  for (std::int64_t j = 0; j < columns; ++j) c[j] = all[j];
}

}  // namespace
}  // namespace octet::kernels
