#pragma once

#include <cstdint>

#include "kernels/u8s8/gemm_args.h"

namespace octet::kernels {

// A convolution whose channels have nothing to do with each other: one output channel per input
// channel. It is no matrix product; but its rows are lists of taps all the same, so it is GemmArgs
// read in another way:
//
//   acc[i, j] = bias[j] + sum over runs of a[a_rows[i] + run.source + j] * w[run.weight, j]
//
// for j in [0, n). A run is one tap, run.weight its number (run.count is not read), packed_w is
// [taps, panel_k] int8 with panel_k >= n. What becomes of acc is as in gemm.h. Plain code for every
// instruction set.
void depthwise_u8(const GemmArgs& args, std::uint8_t* c);

}  // namespace octet::kernels
