#pragma once

#include <immintrin.h>

#include <cstdint>

// What the float32 and the bfloat16 kernels of AVX-512 have in common: vectors for gemm_tile.h, but
// for their multiply-add. Internal to the including file.
namespace octet::kernels {
namespace {

// Half vectors with AVX-512's masks and 32 registers, for matrices of at most 8 columns (LeNet's
// first convolution has 6 channels).
struct EightLanes {
  using Reg = __m256;
  using Mask = __mmask8;
  static constexpr int kWidth = 8;
  static constexpr int kMaxVectors = 1;
  static constexpr bool kMasksCost = false;
  static constexpr int max_rows(int, bool unit_rows) { return unit_rows ? 28 : 12; }

  static Mask mask(std::int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg broadcast(const float* p) { return _mm256_set1_ps(*p); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load(const float* p, Mask m) { return _mm256_maskz_loadu_ps(m, p); }
  static void store(float* p, Reg r) { _mm256_storeu_ps(p, r); }
  static void store(float* p, Reg r, Mask m) { _mm256_mask_storeu_ps(p, m, r); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg relu(Reg r) { return _mm256_max_ps(zero(), r); }
  static Reg least(Reg r, const float* p) { return _mm256_min_ps(_mm256_set1_ps(*p), r); }
};

// 32 registers: 24 accumulators (12 in the narrowest tile), up to 4 vectors of b and a broadcast.
struct SixteenLanes {
  using Reg = __m512;
  using Mask = __mmask16;
  static constexpr int kWidth = 16;
  static constexpr int kMaxVectors = 4;
  static constexpr bool kMasksCost = false;
  static constexpr int max_rows(int vectors, bool) {
    return vectors <= 2 ? 12 : vectors == 3 ? 8 : 6;
  }

  static Mask mask(std::int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static Reg load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
  static void store(float* p, Reg r) { _mm512_storeu_ps(p, r); }
  static void store(float* p, Reg r, Mask m) { _mm512_mask_storeu_ps(p, m, r); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg relu(Reg r) { return _mm512_max_ps(zero(), r); }
  static Reg least(Reg r, const float* p) { return _mm512_min_ps(_mm512_set1_ps(*p), r); }
};

}  // namespace
}  // namespace octet::kernels
