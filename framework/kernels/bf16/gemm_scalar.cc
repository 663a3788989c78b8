#include "kernels/bf16/bf16.h"
#include "kernels/bf16/pair_rows.h"
#include "kernels/f32/gemm_tile.h"
#include "kernels/f32/vector_scalar.h"

// The reference: one lane, the manual's arithmetic in plain C++.
namespace octet::kernels {
namespace {

struct Vector1 : OneLane {
  using Narrow = Vector1;
  static Reg fma(Reg a, Reg b, Reg c) { return bf16_dot(c, a, b); }

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
