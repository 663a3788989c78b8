#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"

// The contract of the integer matrix product, the heart of QConv2d and QLinear:
//
//   acc[i, j] = bias[j] + sum over k of a[i, k] * w[j, k]      exact in int32 (Graph::validate
//   proves it) c[i, j]   = requantize_one(acc[i, j], {multiplier[j], shift[j]}, zero_point,
//   clamp_min, clamp_max)
//
// Every kernel in kernels.inc gives the bytes of the scalar one, for every input within this
// contract.
namespace octet::kernels {

// What is done with the accumulators. Arrays have one element per output channel, padded with zeros
// to a multiple of the kernel's nr. The input's zero point is already folded into bias
// (docs/quantization.md, eq. (7)).
struct Epilogue {
  const std::int32_t* bias = nullptr;
  const std::int32_t* multiplier = nullptr;
  const std::int32_t* shift = nullptr;
  bool all_shifts_zero = true;  // lets a kernel take the fast epilogue
  std::int32_t zero_point = 0;
  std::int32_t clamp_min = 0;
  std::int32_t clamp_max = 255;
};

// Sizes and operands. Rows of `a` are `a_stride` bytes apart and exactly k bytes of each are read
// (never more: a row may end at the end of a page). `packed_w` comes from pack_weights with this
// kernel's layout, aligned to 64 bytes. m, n, k >= 1; `c` is written at [0, m) x [0, n) and nowhere
// else; a and c do not overlap.
struct GemmArgs {
  std::int64_t m = 0, n = 0, k = 0;
  const std::uint8_t* a = nullptr;
  std::ptrdiff_t a_stride = 0;
  const void* packed_w = nullptr;
  Epilogue epilogue;
};

using GemmU8Function = void (*)(const GemmArgs&, std::uint8_t* c, std::ptrdiff_t c_stride);
// Stores the accumulators themselves (bias added); multiplier, shift and clamps are not read.
// c_stride counts int32 elements.
using GemmS32Function = void (*)(const GemmArgs&, std::int32_t* c, std::ptrdiff_t c_stride);

// One implementation. Packed weights are [ceil(n / nr)][ceil(k / kr)][nr][kr] elements of
// `weight_bytes` (1: int8, 2: int16 with the same values), tails filled with zeros.
struct GemmKernel {
  const char* name;
  Isa isa;
  int nr;
  int kr;
  int weight_bytes;
  GemmU8Function gemm_u8;
  GemmS32Function gemm_s32;
};

// The kernel for a cap: exactly `isa`'s own. Throws Error if this build has none for it.
const GemmKernel& select_gemm(Isa isa);

// Bytes that pack_weights writes.
std::size_t packed_weight_bytes(const GemmKernel& kernel, std::int64_t n, std::int64_t k);

// Packs w [n, k] int8 (row major, row stride k) into the kernel's layout at `packed`.
void pack_weights(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, std::int64_t k,
                  void* packed);

}  // namespace octet::kernels
