#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "kernels/u8s8/gemm_args.h"

namespace octet::kernels {

// A convolution of few output channels with stride 1, and the 2x2 max pool behind it: what small
// networks begin with. As a matrix product (gemm.h) its tiles are small beside what leads to them
// and follows; here a call takes whole rows of the pool's result:
//
//   acc[y, x, j] = bias[j] + sum over the kernel of a[y + ky, x + kx, i] * w[j, ky, kx, i]
//   c[r, p, j]   = requantize_one(the largest of acc[2 r .. 2 r + 1, 2 p .. 2 p + 1, j], ...)
//
// without an activation offset and without a residual; sums and what becomes of them are as in
// gemm.h. Requantizing is monotone, so the pool may come first.
struct PooledConvArgs {
  static constexpr std::int64_t kBytesBehind = 64;  // of the image, that may be read

  const std::uint8_t* a = nullptr;  // the image under the first row of c
  std::int64_t line = 0;            // bytes from one row of the image to the next
  std::int64_t channels = 0;
  std::int64_t rows = 0, pixels = 0, n = 0;  // c is [rows, pixels, n]
  std::int64_t kernel_h = 0, kernel_w = 0;
  const void* packed_w = nullptr;  // from pack_pooled_conv, aligned to 64 bytes
  Epilogue epilogue;               // 16 elements each
  // Weights that the next layer reads: a kernel may fetch them into L1 beside its own work.
  const void* next_w = nullptr;
  std::int64_t next_bytes = 0;
};
using PooledConvFunction = void (*)(const PooledConvArgs&, std::uint8_t* c);

struct PooledConvKernel {
  const char* name;
  Isa isa;
  std::int64_t channels;  // of the images that it takes; 0: any
  std::int64_t outputs;   // n at most; packed weights have so many
  PooledConvFunction run;

  bool takes(std::int64_t image_channels, std::int64_t n) const {
    return (channels == 0 || channels == image_channels) && n <= outputs;
  }
};

// The best kernel of this instruction set, or null: then such a convolution is a matrix product.
// The scalar one is the definition, for tests; no model runs on it.
const PooledConvKernel* find_pooled_conv(Isa isa, std::int64_t channels, std::int64_t n);

// Bytes that pack_pooled_conv writes. k: kernel_w * channels
std::size_t packed_pooled_conv_bytes(const PooledConvKernel& kernel, std::int64_t kernel_h,
                                     std::int64_t k);

// Packs w [n, kernel_h, k] int8: [kernel_h][groups of four k][outputs][4], zeros in what is not
// there.
void pack_pooled_conv(const PooledConvKernel& kernel, const std::int8_t* w, std::int64_t n,
                      std::int64_t kernel_h, std::int64_t k, void* packed);

// The entry points (pooled_conv.cc has the list).
void pooled_conv_scalar(const PooledConvArgs& args, std::uint8_t* c);
void pooled_conv_one_channel_avx512vnni(const PooledConvArgs& args, std::uint8_t* c);
void pooled_conv_avx512vnni(const PooledConvArgs& args, std::uint8_t* c);

}  // namespace octet::kernels
