#pragma once

#include <immintrin.h>

// 8x8 matrices in registers. Internal to the including file.
namespace octet::kernels {
namespace {

[[gnu::always_inline]] inline void transpose_8x8(__m256 (&r)[8]) {
  __m256 pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    pairs[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    pairs[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      const __m256d low = _mm256_castps_pd(pairs[4 * i + j]);
      const __m256d high = _mm256_castps_pd(pairs[4 * i + 2 + j]);
      fours[4 * i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
      fours[4 * i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x20);
    r[4 + i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], 0x31);
  }
}

[[gnu::always_inline]] inline void transpose_8x8(__m256i (&rows)[8]) {
  __m256 r[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_castsi256_ps(rows[i]);
  transpose_8x8(r);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) rows[i] = _mm256_castps_si256(r[i]);
}

}  // namespace
}  // namespace octet::kernels
