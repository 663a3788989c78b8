#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "kernels/u8s8/gemm_args.h"

// The contract of the integer matrix product, the heart of QConv2d and QLinear:
//
//   acc[i, j] = bias[j] + sum over k of a[i, k] * w[j, k]
//   c[i, j]   = requantize_one(acc[i, j], {multiplier[j], shift[j]}, zero_point, clamp_min,
//                              clamp_max)
//
// acc is exact in int32: Graph::validate proves it. Every kernel in kernels.inc gives the bytes of
// the scalar one, for every input within this contract.
namespace octet::kernels {

// One implementation. Packed weights are ceil(n / nr) panels. A panel is
//   [nr] int32: activation_offset * sum over k of w[j, k]; only where activation_offset is not 0,
//   [ceil(k / kr)][nr][kr] elements of weight_bytes (1: int8, 2: int16 with the same values),
// tails filled with zeros, and its size is a multiple of 64 bytes but for the scalar kernel's.
struct GemmKernel {
  const char* name;
  Isa isa;
  int mr;  // rows and columns of the register tile; callers that split m do well at multiples of mr
  int nr;
  int kr;
  int weight_bytes;
  int activation_offset;  // the kernel multiplies (a - activation_offset) and adds the sums above
  GemmU8Function gemm_u8;
  GemmS32Function gemm_s32;
};

// The kernel for a cap: exactly `isa`'s own. Throws Error if this build has none for it.
const GemmKernel& select_gemm(Isa isa);

// Bytes that pack_weights writes.
std::size_t packed_weight_bytes(const GemmKernel& kernel, std::int64_t n, std::int64_t k);

// Packs w [n, k] int8 (row major, row stride k) into the kernel's layout at `packed`, which is
// aligned to 64 bytes.
void pack_weights(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, std::int64_t k,
                  void* packed);

}  // namespace octet::kernels
