#include "kernels/bf16/bf16.h"
#include "kernels/bf16/pair_rows.h"
#include "kernels/f32/gemm_tile.h"

// The reference: one lane, the manual's arithmetic in plain C++.
namespace octet::kernels {
namespace {

struct Vector1 {
  using Reg = float;
  struct Mask {};
  using Narrow = Vector1;
  static constexpr int kWidth = 1;
  static constexpr int kMaxVectors = 4;
  static constexpr bool kMasksCost = false;
  static constexpr int max_rows(int, bool) { return 4; }

  static Mask mask(std::int64_t) { return {}; }
  static Reg zero() { return 0.0f; }
  static Reg broadcast(const float* p) { return *p; }
  static Reg load(const float* p) { return *p; }
  static Reg load(const float* p, Mask) { return *p; }
  static void store(float* p, Reg r) { *p = r; }
  static void store(float* p, Reg r, Mask) { *p = r; }
  static Reg fma(Reg a, Reg b, Reg c) { return bf16_dot(c, a, b); }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg relu(Reg r) { return 0.0f > r ? 0.0f : r; }
  static Reg least(Reg r, const float* p) { return *p < r ? *p : r; }

  static Reg pair(Reg even, Reg odd) { return bf16_pair(to_bf16(even), to_bf16(odd)); }
  static Reg pair_adjacent(Reg a, Reg b) { return pair(a, b); }
};

}  // namespace

void bf16_gemm_scalar(const GemmF32Args& args) { gemm<Vector1>(args); }

void bf16_pair_rows_scalar(std::int64_t count, const float* even, const float* odd, float* pairs) {
  pair_rows<Vector1>(count, even, odd, pairs);
}

void bf16_pair_columns_scalar(std::int64_t rows, std::int64_t columns, const float* x,
                              float* pairs) {
  pair_columns<Vector1>(rows, columns, x, pairs);
}

}  // namespace octet::kernels
