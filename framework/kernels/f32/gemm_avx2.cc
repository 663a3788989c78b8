#include <immintrin.h>

#include "kernels/f32/batch_norm_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/im2col_rows.h"

namespace octet::kernels {
namespace {

// 16 registers: 12 accumulators, up to 2 vectors of b, 1 broadcast.
struct Vector8 {
  using Reg = __m256;
  using Mask = __m256i;
  using Narrow = Vector8;
  static constexpr int kWidth = 8;
  static constexpr int kMaxVectors = 2;
  static constexpr int max_rows(int vectors) { return vectors == 1 ? 12 : 6; }

  static Mask mask(std::int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Mask mask(std::int64_t low, std::int64_t high) {
    return _mm256_andnot_si256(mask(low), mask(high));
  }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static Reg load(const float* p, Mask m) { return _mm256_maskload_ps(p, m); }
  static void store(float* p, Reg r) { _mm256_storeu_ps(p, r); }
  static void store(float* p, Reg r, Mask m) { _mm256_maskstore_ps(p, m, r); }
  static void stream(float* p, Reg r) { _mm256_stream_ps(p, r); }
  static void stream_end() { _mm_sfence(); }
  static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg relu(Reg r) { return _mm256_max_ps(zero(), r); }
  static Reg where_positive(Reg y, Reg r) {
    return _mm256_and_ps(_mm256_cmp_ps(y, zero(), _CMP_GT_OQ), r);
  }
};

}  // namespace

void f32_gemm_avx2(const GemmF32Args& args) { gemm<Vector8>(args); }

void f32_im2col_avx2(const Im2colArgs& args, const float* x, float* columns) {
  im2col<Vector8>(args, x, columns);
}

void f32_col2im_avx2(const Im2colArgs& args, const float* columns, float* x) {
  col2im<Vector8>(args, columns, x);
}

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

}  // namespace octet::kernels
