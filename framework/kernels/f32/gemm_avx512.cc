#include <immintrin.h>

#include "kernels/f32/batch_norm_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/im2col_rows.h"

namespace octet::kernels {
namespace {

// Half vectors with AVX-512's masks and 32 registers, for matrices of at most 8 columns (LeNet's
// first convolution has 6 channels).
struct Vector8 {
  using Reg = __m256;
  using Mask = __mmask8;
  using Narrow = Vector8;
  static constexpr int kWidth = 8;
  static constexpr int kMaxVectors = 1;
  static constexpr int max_rows(int) { return 12; }

  static Mask mask(std::int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  static Mask mask(std::int64_t low, std::int64_t high) {
    return static_cast<Mask>((1u << high) - (1u << low));
  }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg broadcast(const float* p) { return _mm256_set1_ps(*p); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load(const float* p, Mask m) { return _mm256_maskz_loadu_ps(m, p); }
  static void store(float* p, Reg r) { _mm256_storeu_ps(p, r); }
  static void store(float* p, Reg r, Mask m) { _mm256_mask_storeu_ps(p, m, r); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg relu(Reg r) { return _mm256_max_ps(zero(), r); }
  static Reg where_positive(Reg y, Reg r) {
    return _mm256_maskz_mov_ps(_mm256_cmp_ps_mask(y, zero(), _CMP_GT_OQ), r);
  }
};

// 32 registers: 24 accumulators (12 in the narrowest tile), up to 4 vectors of b; broadcasts are
// memory operands.
struct Vector16 {
  using Reg = __m512;
  using Mask = __mmask16;
  using Narrow = Vector8;
  static constexpr int kWidth = 16;
  static constexpr int kMaxVectors = 4;
  static constexpr int max_rows(int vectors) { return vectors <= 2 ? 12 : vectors == 3 ? 8 : 6; }

  static Mask mask(std::int64_t n) { return static_cast<Mask>((1u << n) - 1); }
  static Mask mask(std::int64_t low, std::int64_t high) {
    return static_cast<Mask>((1u << high) - (1u << low));
  }
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg broadcast(const float* p) { return _mm512_set1_ps(*p); }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static Reg load(const float* p, Mask m) { return _mm512_maskz_loadu_ps(m, p); }
  static void store(float* p, Reg r) { _mm512_storeu_ps(p, r); }
  static void store(float* p, Reg r, Mask m) { _mm512_mask_storeu_ps(p, m, r); }
  static void stream(float* p, Reg r) { _mm512_stream_ps(p, r); }
  static void stream_end() { _mm_sfence(); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg relu(Reg r) { return _mm512_max_ps(zero(), r); }
  static Reg where_positive(Reg y, Reg r) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, zero(), _CMP_GT_OQ), r);
  }
};

}  // namespace

void f32_gemm_avx512(const GemmF32Args& args) { gemm<Vector16>(args); }

void f32_im2col_avx512(const Im2colArgs& args, const float* x, float* columns) {
  im2col<Vector16>(args, x, columns);
}

void f32_col2im_avx512(const Im2colArgs& args, const float* columns, float* x) {
  col2im<Vector16>(args, columns, x);
}

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

}  // namespace octet::kernels
