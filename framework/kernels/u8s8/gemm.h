#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "kernels/u8s8/gemm_args.h"

// The contract of the integer matrix product, the heart of QConv2d and QLinear. Its rows are lists
// of taps (TapRun) rather than stretches of memory, so that a convolution reads its image in place:
//
//   acc[i, j] = bias[j] + sum over runs and k of (a[i, k] - activation_offset) * w[j, k]
//   c[i, j]   = requantize_one(acc[i, j], {multiplier[j], shift[j]}, zero_point, clamp_min,
//                              clamp_max), then the residual add if there is one
//
// The caller's bias takes account of activation_offset, as of the input's zero point. Sums are
// taken modulo 2^32; the accumulator in full, without offset, fits: Graph::validate proves it.
// Every kernel in kernels.inc gives the bytes of the scalar one, for every input within this
// contract.
namespace octet::kernels {

// One implementation. Packed weights are ceil(n / nr) panels [k / kr][nr][kr] of int8, tails filled
// with zeros.
struct GemmKernel {
  const char* name;
  const char* depthwise_name;
  Isa isa;
  int mr;  // rows and columns of the register tile; callers that split m do well at multiples of mr
  int nr;
  int kr;
  int copied_bytes;  // an activation in the kernel's own copy of its rows; 0: it reads them in
                     // place
  int activation_offset;
  GemmU8Function gemm_u8;
  GemmS32Function gemm_s32;
  GemmU8Function depthwise_u8;  // depthwise.h
};

// The kernel for a cap: exactly `isa`'s own. Throws Error if this build has none for it.
const GemmKernel& select_gemm(Isa isa);

// How the k weights of an output channel lie in a panel: as k / piece pieces, each followed by
// zeros up to a multiple of kr. A run starts at a multiple of kr in a piece and stays within it,
// unless piece is a multiple of kr: then there are no gaps.
struct PackedK {
  std::int64_t k = 0, piece = 0;  // piece divides k
  std::int64_t padded_piece = 0;

  PackedK() = default;
  PackedK(const GemmKernel& kernel, std::int64_t k_, std::int64_t piece_)
      : k(k_), piece(piece_), padded_piece((piece_ + kernel.kr - 1) / kernel.kr * kernel.kr) {}
  std::int64_t panel_k() const { return k / piece * padded_piece; }
};

// Bytes that pack_weights writes, a multiple of 64 but for the scalar kernel.
std::size_t packed_weight_bytes(const GemmKernel& kernel, std::int64_t n, const PackedK& k);

// Packs w [n, k] int8 (row major, row stride k) into the kernel's layout at `packed`, which is
// aligned to 64 bytes.
void pack_weights(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, const PackedK& k,
                  void* packed);

// Bytes of GemmArgs::scratch for m rows with runs of together at most panel_k.
std::size_t gemm_scratch_bytes(const GemmKernel& kernel, std::int64_t m, std::int64_t panel_k);

}  // namespace octet::kernels
