#pragma once

#include <cstddef>
#include <cstdint>

// What the files of one instruction set may see of the contract in gemm.h: plain data.
namespace octet::kernels {

// What is done with the accumulators. Arrays have one element per output channel, padded with zeros
// to a multiple of the kernel's nr. The input's zero point is already folded into bias
// (docs/quantization.md, eq. (7)).
struct Epilogue {
  const std::int32_t* bias = nullptr;
  const std::int32_t* multiplier = nullptr;
  const std::int32_t* shift = nullptr;
  bool all_shifts_zero = true;  // lets a kernel take the fast epilogue
  std::int32_t zero_point = 0;  // this and the clamps are codes: 0 <= clamp_min <= clamp_max <= 255
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

// Both entry points of every kernel in kernels.inc.
#define OCTET_GEMM_KERNEL(NAME, ISA, ...)                                    \
  void NAME(const GemmArgs& args, std::uint8_t* c, std::ptrdiff_t c_stride); \
  void NAME(const GemmArgs& args, std::int32_t* c, std::ptrdiff_t c_stride);
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL

}  // namespace octet::kernels
