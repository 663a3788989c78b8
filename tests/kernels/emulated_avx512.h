#pragma once

// AVX-512 and AVX-VNNI by SIMDe (Debian's libsimde-dev), which computes each intrinsic with what
// -mavx2 allows. CMakeLists.txt puts this file in front of the kernels' sources under
// OCTET_EMULATE_AVX512, so that a CPU with AVX2 runs, and tests, every line of them.
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <immintrin.h>
#include <simde/x86/avx512.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/bf16/bf16.h"

#define OCTET_PIN(vector)  // there is no register for it

// What SIMDe 0.7.4 lacks. Masked lanes are neither read nor written: tests look at that.
namespace octet::emulated {

template <class To, class From>
inline To bits(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

template <class Element, int Lanes>
struct Lane {
  Element of[Lanes];
};

template <class Register, class Element, class Mask>
inline Register maskz_loadu(Mask mask, const void* p) {
  constexpr int kLanes = sizeof(Register) / sizeof(Element);
  Lane<Element, kLanes> lanes{};
  for (int i = 0; i < kLanes; ++i) {
    if (mask >> i & 1) {
      std::memcpy(&lanes.of[i], static_cast<const Element*>(p) + i, sizeof(Element));
    }
  }
  return bits<Register>(lanes);
}

template <class Element, class Mask, class Register>
inline void mask_storeu(void* p, Mask mask, Register r) {
  constexpr int kLanes = sizeof(Register) / sizeof(Element);
  const auto lanes = bits<Lane<Element, kLanes>>(r);
  for (int i = 0; i < kLanes; ++i) {
    if (mask >> i & 1) {
      std::memcpy(static_cast<Element*>(p) + i, &lanes.of[i], sizeof(Element));
    }
  }
}

// The low bytes of Lanes 32-bit lanes; bytes behind them are 0, as the instruction leaves them.
template <int Lanes, class Register>
inline __m128i low_bytes(Register r) {
  const auto words = bits<Lane<std::int32_t, Lanes>>(r);
  Lane<std::uint8_t, 16> bytes{};
  for (int i = 0; i < Lanes; ++i) bytes.of[i] = static_cast<std::uint8_t>(words.of[i]);
  return bits<__m128i>(bytes);
}

inline __m512i widen_bytes(__m128i bytes) {
  const auto from = bits<Lane<std::uint8_t, 16>>(bytes);
  Lane<std::int32_t, 16> words;
  for (int i = 0; i < 16; ++i) words.of[i] = from.of[i];
  return bits<__m512i>(words);
}

inline __m512i shift_right(__m512i a, __m512i counts) {
  auto words = bits<Lane<std::int32_t, 16>>(a);
  const auto by = bits<Lane<std::int32_t, 16>>(counts);
  for (int i = 0; i < 16; ++i) words.of[i] >>= by.of[i];
  return bits<__m512i>(words);
}

// Lane i of the masked ones becomes lane i | 1 of a.
inline __m512 odd_lanes(__m512 others, std::uint16_t mask, __m512 a) {
  const auto from = bits<Lane<std::int32_t, 16>>(a);
  auto to = bits<Lane<std::int32_t, 16>>(others);
  for (int i = 0; i < 16; ++i) {
    if (mask >> i & 1) to.of[i] = from.of[i | 1];
  }
  return bits<__m512>(to);
}

// SIMDe's own rounds otherwise.
template <class Register, class Pairs>
inline Register bf16_dots(Register acc, Pairs a, Pairs b) {
  constexpr int kLanes = sizeof(Register) / sizeof(float);
  auto sums = bits<Lane<float, kLanes>>(acc);
  const auto pairs_a = bits<Lane<float, kLanes>>(a), pairs_b = bits<Lane<float, kLanes>>(b);
  for (int i = 0; i < kLanes; ++i) {
    sums.of[i] = kernels::bf16_dot(sums.of[i], pairs_a.of[i], pairs_b.of[i]);
  }
  return bits<Register>(sums);
}
inline __m512i to_bf16(__m512 high, __m512 low) {
  const auto first = bits<Lane<float, 16>>(low), second = bits<Lane<float, 16>>(high);
  Lane<std::uint16_t, 32> words;
  for (int i = 0; i < 16; ++i) {
    words.of[i] = kernels::to_bf16(first.of[i]);
    words.of[16 + i] = kernels::to_bf16(second.of[i]);
  }
  return bits<__m512i>(words);
}

inline std::uint8_t equal_lanes(__m256i a, __m256i b) {
  return static_cast<std::uint8_t>(
      _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b))));
}

}  // namespace octet::emulated

#define _mm_maskz_loadu_epi8 octet::emulated::maskz_loadu<__m128i, std::uint8_t>
#define _mm256_maskz_loadu_epi8 octet::emulated::maskz_loadu<__m256i, std::uint8_t>
#define _mm512_maskz_loadu_epi8 octet::emulated::maskz_loadu<__m512i, std::uint8_t>
#define _mm256_maskz_loadu_ps octet::emulated::maskz_loadu<__m256, float>
#define _mm512_maskz_loadu_ps octet::emulated::maskz_loadu<__m512, float>
#define _mm_mask_storeu_epi8 octet::emulated::mask_storeu<std::uint8_t>
#define _mm256_mask_storeu_epi8 octet::emulated::mask_storeu<std::uint8_t>
#define _mm512_mask_storeu_epi8 octet::emulated::mask_storeu<std::uint8_t>
#define _mm256_mask_storeu_ps octet::emulated::mask_storeu<float>
#define _mm512_mask_storeu_ps octet::emulated::mask_storeu<float>
#define _mm512_mask_storeu_epi32 octet::emulated::mask_storeu<std::int32_t>
#define _mm256_cvtepi32_epi8 octet::emulated::low_bytes<8>
#define _mm512_cvtepi32_epi8 octet::emulated::low_bytes<16>
#define _mm512_cvtepu8_epi32 octet::emulated::widen_bytes
#define _mm512_srav_epi32 octet::emulated::shift_right
#define _mm512_mask_movehdup_ps octet::emulated::odd_lanes
#define _mm512_movehdup_ps(a) octet::emulated::odd_lanes(a, 0xFFFF, a)
#define _mm512_stream_ps simde_mm512_storeu_ps
#define _mm256_cmpeq_epi32_mask octet::emulated::equal_lanes
#define _mm256_dpbusd_avx_epi32 simde_mm256_dpbusd_epi32
#undef _mm256_dpbf16_ps
#undef _mm512_dpbf16_ps
#undef _mm512_cvtne2ps_pbh
#define _mm256_dpbf16_ps octet::emulated::bf16_dots<__m256>
#define _mm512_dpbf16_ps octet::emulated::bf16_dots<__m512>
#define _mm512_cvtne2ps_pbh octet::emulated::to_bf16
