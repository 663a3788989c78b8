#pragma once

#include <span>

#include "base/cpu.h"
#include "kernels/f32/gemm.h"

namespace octet::kernels {

// As the float product (kernels/f32/gemm.h), with pairs of bfloat16 (bf16_pair) in the place of the
// floats of a and b: each link of the chain is acc = bf16_dot(acc, a, b). init and c are float32.
using GemmBf16Function = GemmF32Function;

// pairs[i] = bf16_pair(even[i], odd[i]) for i < count, rounded by to_bf16; without `odd` zeros in
// its place.
using PairRowsFunction = void (*)(std::int64_t count, const float* even, const float* odd,
                                  float* pairs);

// Neighbouring columns become pairs, with a zero column where their number is odd.
//   x: [rows, columns]      pairs: [rows, (columns + 1) / 2]
using PairColumnsFunction = void (*)(std::int64_t rows, std::int64_t columns, const float* x,
                                     float* pairs);

// The bfloat16 kernels of one instruction set. Their results are equal with ==.
struct Bf16Kernels {
  const char* name;
  Isa isa;
  bool native;                 // with AVX-512 BF16; otherwise emulated
  std::int64_t panel_columns;  // of gemm's widest tile; no result depends on it (f32/pack.h)
  GemmBf16Function gemm;
  PairRowsFunction pair_rows;
  PairColumnsFunction pair_columns;

  // Whether this CPU can run them.
  bool available() const { return cpu_supports(isa) && (!native || cpu_has_avx512_bf16()); }
};

// All that this build has, scalar first.
std::span<const Bf16Kernels> bf16_kernels();

// The best ones that this CPU has and that may run under the cap `isa` (base/cpu.h, isa_includes).
const Bf16Kernels& select_bf16_kernels(Isa isa);

}  // namespace octet::kernels
