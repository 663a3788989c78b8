// The AVX-512 BF16 kernels with every instruction of AVX-512 in other words, so that all but the
// instructions themselves is tested on any CPU with AVX2. No header with inline functions: compiled
// here, they could be the copies that the linker keeps for everyone.
#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace {

struct M512 {
  float lane[16];
};
struct M512i {
  std::uint16_t word[32];
};

M512 set1_512(float value) {
  M512 r;
  for (float& lane : r.lane) lane = value;
  return r;
}
M512 load_512(const float* p, std::uint32_t mask) {  // masked lanes are not read
  M512 r = set1_512(0.0f);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1u) r.lane[i] = p[i];
  }
  return r;
}
void store_512(float* p, std::uint32_t mask, const M512& r) {  // nor written
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1u) p[i] = r.lane[i];
  }
}
M512 max_512(const M512& a, const M512& b) {
  M512 r;
  for (int i = 0; i < 16; ++i) r.lane[i] = a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i];
  return r;
}
M512 min_512(const M512& a, const M512& b) {
  M512 r;
  for (int i = 0; i < 16; ++i) r.lane[i] = a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i];
  return r;
}
M512 add_512(const M512& a, const M512& b) {
  M512 r;
  for (int i = 0; i < 16; ++i) r.lane[i] = a.lane[i] + b.lane[i];
  return r;
}
M512i load_words(const std::int16_t* p) {
  M512i r;
  std::memcpy(r.word, p, sizeof(r.word));
  return r;
}
M512i permute_words(const M512i& index, const M512i& from) {
  M512i r;
  for (int i = 0; i < 32; ++i) r.word[i] = from.word[index.word[i] & 31];
  return r;
}
M512 as_floats(const M512i& from) {
  M512 r;
  std::memcpy(r.lane, from.word, sizeof(r.lane));
  return r;
}

__m256i lanes(std::uint32_t mask) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(mask)), bit), bit);
}
__m256 load_256(const float* p, std::uint32_t mask) { return _mm256_maskload_ps(p, lanes(mask)); }
void store_256(float* p, std::uint32_t mask, __m256 r) { _mm256_maskstore_ps(p, lanes(mask), r); }

}  // namespace

namespace octet::kernels {
namespace {

// With denormals as zero, between two changes of MXCSR that the compiler cannot move it across.
__m256 bf16_dot_256(__m256 acc, __m256 a, __m256 b) {
  const __m256 upper = _mm256_castsi256_ps(_mm256_set1_epi32(-0x10000));
  const auto even = [](__m256 pairs) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs), 16));
  };
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040u);
  asm volatile("" : "+x"(acc));
  acc = _mm256_fmadd_ps(_mm256_and_ps(a, upper), _mm256_and_ps(b, upper), acc);
  acc = _mm256_fmadd_ps(even(a), even(b), acc);
  asm volatile("" : "+x"(acc));
  _mm_setcsr(before);
  return acc;
}
M512 bf16_dot_512(const M512& acc, const M512& a, const M512& b) {
  M512 r;
  for (int i = 0; i < 16; i += 8) {
    _mm256_storeu_ps(r.lane + i,
                     bf16_dot_256(_mm256_loadu_ps(acc.lane + i), _mm256_loadu_ps(a.lane + i),
                                  _mm256_loadu_ps(b.lane + i)));
  }
  return r;
}
std::uint16_t to_word(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const std::uint32_t exponent = bits >> 23 & 0xFFu;
  if (exponent == 0) return static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  if (exponent < 0xFF) bits += 0x7FFFu + (bits >> 16 & 1u);
  const bool is_nan = exponent == 0xFF && (bits & 0x7FFFFFu) != 0;
  return static_cast<std::uint16_t>(bits >> 16 | (is_nan ? 0x40u : 0u));
}
M512i to_bf16_512(const M512& low, const M512& high) {
  M512i r;
  for (int i = 0; i < 16; ++i) {
    r.word[i] = to_word(low.lane[i]);
    r.word[16 + i] = to_word(high.lane[i]);
  }
  return r;
}

}  // namespace
}  // namespace octet::kernels

#define __m512 M512
#define __m512i M512i
#define _mm512_setzero_ps() set1_512(0.0f)
#define _mm512_set1_ps(value) set1_512(value)
#define _mm512_loadu_ps(p) load_512(p, 0xFFFFu)
#define _mm512_maskz_loadu_ps(mask, p) load_512(p, mask)
#define _mm512_storeu_ps(p, r) store_512(p, 0xFFFFu, r)
#define _mm512_mask_storeu_ps(p, mask, r) store_512(p, mask, r)
#define _mm512_max_ps(a, b) max_512(a, b)
#define _mm512_min_ps(a, b) min_512(a, b)
#define _mm512_add_ps(a, b) add_512(a, b)
#define _mm512_loadu_si512(p) load_words(p)
#define _mm512_permutexvar_epi16(index, from) permute_words(index, from)
#define _mm512_castsi512_ps(words) as_floats(words)
#define _mm256_maskz_loadu_ps(mask, p) load_256(p, mask)
#define _mm256_mask_storeu_ps(p, mask, r) store_256(p, mask, r)

#define OCTET_BF16_IN_OTHER_WORDS
#define bf16_gemm_avx512bf16 bf16_gemm_avx512bf16_as_avx2
#define bf16_pair_rows_avx512bf16 bf16_pair_rows_avx512bf16_as_avx2
#define bf16_pair_columns_avx512bf16 bf16_pair_columns_avx512bf16_as_avx2
#include "kernels/bf16/gemm_avx512bf16.cc"
