#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/u8s8/gemm.h"

namespace octet::kernels {

// A convolution whose channels have nothing to do with each other: one output channel per input
// channel. It is no matrix product; but its rows are lists of taps all the same, so it is GemmArgs
// read in another way (GemmKernel::depthwise_u8):
//
//   acc[i, j] = bias[j] + sum over taps of (a[a_rows[i] + tap.source + j] - activation_offset) *
//                                          w[tap, j]
//
// for j in [0, n), without pooling. What becomes of acc, and of activation_offset, is as in gemm.h.
//
// Taps come in groups of the kernel's kr, whose products are added by one instruction. A group is
// kr runs one after the other: run.weight is the group's number, run.source that of one tap, and
// run.count 1, or 0 for a tap that is not in the list. packed_w is [groups, panel_k, kr] from
// pack_depthwise, panel_k a multiple of nr and >= n. Behind the kernel's last tap weights are 0:
// there a run may have count 1 and any source whose activations may be read. A list where every
// count is 1 is the fastest. Every kernel gives the bytes of the scalar one.

// Of one weight: kernels that multiply at 16 bits get theirs widened.
constexpr std::size_t depthwise_weight_bytes(const GemmKernel& kernel) {
  return kernel.copied_bytes == 2 ? 2 : 1;
}

// Bytes that pack_depthwise writes.
std::size_t packed_depthwise_bytes(const GemmKernel& kernel, std::int64_t n, std::int64_t taps);

// Packs w [n, taps] int8 into the kernel's layout at `packed`, which is aligned to 64 bytes.
void pack_depthwise(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n,
                    std::int64_t taps, void* packed);

}  // namespace octet::kernels
