#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "kernels/u8s8/gemm_args.h"

namespace octet::kernels {

// A convolution of an image of one channel with stride 1, and the 2x2 max pool behind it. As a
// matrix product (gemm.h) it would leave most of a vector's columns empty; here the lanes are
// neighbouring pixels, and each is multiplied by a channel's weights:
//
//   acc[y, x, j] = bias[j] + sum over the kernel of a[y + ky, x + kx] * w[j, ky, kx]
//   c[i, p, j]   = requantize_one(the largest of acc[2 i .. 2 i + 1, 2 p .. 2 p + 1, j], ...)
//
// without an activation offset and without a residual; sums and what becomes of them are as in
// gemm.h. Requantizing is monotone, so the pool may come first.
struct OneChannelArgs {
  static constexpr std::int64_t kMostOutputs = 8;
  static constexpr std::int64_t kBytesBehind = 64;  // of the image, that may be read

  const std::uint8_t* a = nullptr;           // what is under the first row of c
  std::int64_t line = 0;                     // bytes from one row of the image to the next
  std::int64_t rows = 0, pixels = 0, n = 0;  // c is [rows, pixels, n]; n <= kMostOutputs
  std::int64_t kernel_h = 0, kernel_w = 0;
  const void* packed_w = nullptr;  // from pack_one_channel, aligned to 64 bytes
  // Of kMostOutputs elements each; `residual` and `small_multipliers` are not read.
  Epilogue epilogue;
};
using OneChannelFunction = void (*)(const OneChannelArgs&, std::uint8_t* c);

void one_channel_scalar(const OneChannelArgs& args, std::uint8_t* c);
void one_channel_avx512vnni(const OneChannelArgs& args, std::uint8_t* c);

struct OneChannelKernel {
  const char* name;
  Isa isa;
  OneChannelFunction run;
};

// The kernel of this instruction set, or null: then such a convolution is a matrix product. The
// scalar one is the definition, for tests; no model runs on it.
const OneChannelKernel* find_one_channel(Isa isa);

// Bytes that pack_one_channel writes.
std::size_t packed_one_channel_bytes(std::int64_t kernel_h, std::int64_t kernel_w);

// Packs w [n, kernel_h, kernel_w] int8: [kernel_h][groups of four taps][kMostOutputs][4], zeros in
// what is not there.
void pack_one_channel(const std::int8_t* w, std::int64_t n, std::int64_t kernel_h,
                      std::int64_t kernel_w, void* packed);

}  // namespace octet::kernels
