#include <cmath>

#include "kernels/f32/batch_norm_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/im2col_rows.h"

// The reference: one lane. std::fma rounds once, on any machine.
namespace octet::kernels {
namespace {

struct Vector1 {
  using Reg = float;
  struct Mask {};
  using Narrow = Vector1;
  static constexpr int kWidth = 1;
  static constexpr int kMaxVectors = 4;
  static constexpr int max_rows(int) { return 4; }

  static Mask mask(std::int64_t) { return {}; }
  static Mask mask(std::int64_t, std::int64_t) { return {}; }
  static Reg zero() { return 0.0f; }
  static Reg broadcast(const float* p) { return *p; }
  static Reg load(const float* p) { return *p; }
  static Reg load(const float* p, Mask) { return *p; }
  static void store(float* p, Reg r) { *p = r; }
  static void store(float* p, Reg r, Mask) { *p = r; }
  static void stream(float* p, Reg r) { *p = r; }
  static void stream_end() {}
  static Reg fma(Reg a, Reg b, Reg c) { return std::fma(a, b, c); }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg relu(Reg r) { return 0.0f > r ? 0.0f : r; }
  static Reg where_positive(Reg y, Reg r) { return y > 0.0f ? r : 0.0f; }
};

}  // namespace

void f32_gemm_scalar(const GemmF32Args& args) { gemm<Vector1>(args); }

void f32_im2col_scalar(const Im2colArgs& args, const float* x, float* columns) {
  im2col<Vector1>(args, x, columns);
}

void f32_col2im_scalar(const Im2colArgs& args, const float* columns, float* x) {
  col2im<Vector1>(args, columns, x);
}

void f32_relu_backward_scalar(std::int64_t rows, std::int64_t columns, std::ptrdiff_t stride,
                              const float* y, const float* dy, float* masked) {
  relu_backward<Vector1>(rows, columns, stride, y, dy, masked);
}

void f32_batch_norm_statistics_scalar(std::int64_t count, std::int64_t lanes, const float* x,
                                      float* partial) {
  batch_norm_statistics<Vector1>(count, lanes, x, partial);
}

void f32_batch_norm_forward_scalar(const BatchNormForwardArgs& args) {
  batch_norm_forward<Vector1>(args);
}

void f32_batch_norm_backward_scalar(const BatchNormBackwardArgs& args) {
  batch_norm_backward<Vector1>(args);
}

}  // namespace octet::kernels
