// The AVX-VNNI kernel with its one instruction computed by AVX2, so that the rest of it is tested
// on any CPU with AVX2.
#include <immintrin.h>

namespace {

// acc + a0 b0 + a1 b1 + a2 b2 + a3 b3 in each 32-bit lane, a unsigned and b signed bytes.
inline __m256i dpbusd(__m256i acc, __m256i a, __m256i b) {
  const __m256i even_a = _mm256_and_si256(a, _mm256_set1_epi16(0xFF));
  const __m256i even_b = _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8);
  const __m256i even = _mm256_madd_epi16(even_a, even_b);
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));
  return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
}

}  // namespace

#define OCTET_DPBUSD dpbusd
#define u8s8_gemm_6x16_avxvnni u8s8_gemm_6x16_avxvnni_as_avx2
#include "kernels/u8s8/gemm_avxvnni.cc"
