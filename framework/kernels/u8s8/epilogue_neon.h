#pragma once

#include <arm_neon.h>

#include "kernels/u8s8/gemm_args.h"

// What the NEON kernels share: what they do with activations, and with 16 accumulators in the end.
// Internal to the including file.
namespace octet::kernels {
namespace {

// sdot multiplies s8 by s8, so activations become a - 128 by flipping their highest bit: the
// kernels' activation_offset, which the caller's bias makes up for.
inline int8x16_t signed_codes(uint8x16_t codes) {
  return vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(0x80)));
}

// eq. (9) for 4 columns. vrshrn rounds half up, like the scalar code.
inline int32x4_t requantize(int32x4_t acc, const Epilogue& e, std::int64_t column) {
  if (!e.all_shifts_zero) {
    const int32x4_t shift = vld1q_s32(e.shift + column);
    const int32x4_t limit = vshlq_s32(vdupq_n_s32(1 << 30), vnegq_s32(shift));
    const int32x4_t clamped = vmaxq_s32(vminq_s32(acc, limit), vnegq_s32(limit));
    acc = vshlq_s32(vbslq_s32(vceqzq_s32(shift), acc, clamped), shift);
  }
  const int32x4_t multiplier = vld1q_s32(e.multiplier + column);
  const int64x2_t low = vmull_s32(vget_low_s32(acc), vget_low_s32(multiplier));
  const int64x2_t high = vmull_high_s32(acc, multiplier);
  const int32x4_t scaled = vcombine_s32(vrshrn_n_s64(low, 32), vrshrn_n_s64(high, 32));
  const int32x4_t y = vaddq_s32(scaled, vdupq_n_s32(e.zero_point));
  return vminq_s32(vmaxq_s32(y, vdupq_n_s32(e.clamp_min)), vdupq_n_s32(e.clamp_max));
}

// eq. (12) for 4 columns of codes in 32 bits.
inline int32x4_t add_residual(int32x4_t a, int32x4_t b, const Residual& add) {
  const int32x4_t half = vdupq_n_s32(add.params.offset + (1 << (add.params.shift - 1)));
  const int32x4_t products =
      vmlaq_n_s32(vmlaq_n_s32(half, a, add.params.multiplier_a), b, add.params.multiplier_b);
  const int32x4_t sum = vshlq_s32(products, vdupq_n_s32(-add.params.shift));
  const int32x4_t y = vaddq_s32(sum, vdupq_n_s32(add.zero_point));
  return vminq_s32(vmaxq_s32(y, vdupq_n_s32(add.clamp_min)), vdupq_n_s32(add.clamp_max));
}

inline uint8x16_t load_codes(const std::uint8_t* from, std::int64_t columns) {
  if (columns == 16) return vld1q_u8(from);
  std::uint8_t all[16] = {};
  for (std::int64_t j = 0; j < columns; ++j) all[j] = from[j];
  return vld1q_u8(all);
}

// Stores the first `columns` of 16 accumulators.
inline void store(std::int32_t* c, std::ptrdiff_t at, const int32x4_t (&acc)[4], const Epilogue&,
                  std::int64_t, std::int64_t columns) {
  std::int32_t all[16];
#pragma GCC unroll 8
  for (int v = 0; v < 4; ++v) vst1q_s32(all + 4 * v, acc[v]);
  for (std::int64_t j = 0; j < columns; ++j) c[at + j] = all[j];
}

inline void store(std::uint8_t* c, std::ptrdiff_t at, const int32x4_t (&acc)[4], const Epilogue& e,
                  std::int64_t column, std::int64_t columns) {
  int32x4_t y[4];
#pragma GCC unroll 8
  for (int v = 0; v < 4; ++v) y[v] = requantize(acc[v], e, column + 4 * v);
  if (e.residual.codes != nullptr) {
    const uint8x16_t b = load_codes(e.residual.codes + at, columns);
    const uint16x8_t low = vmovl_u8(vget_low_u8(b)), high = vmovl_high_u8(b);
    const uint32x4_t wide[4] = {vmovl_u16(vget_low_u16(low)), vmovl_high_u16(low),
                                vmovl_u16(vget_low_u16(high)), vmovl_high_u16(high)};
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v)
      y[v] = add_residual(y[v], vreinterpretq_s32_u32(wide[v]), e.residual);
  }
  int16x4_t words[4];
#pragma GCC unroll 8
  for (int v = 0; v < 4; ++v) words[v] = vmovn_s32(y[v]);
  const uint8x16_t codes = vcombine_u8(vqmovun_s16(vcombine_s16(words[0], words[1])),
                                       vqmovun_s16(vcombine_s16(words[2], words[3])));
  if (columns == 16) {
    vst1q_u8(c + at, codes);
    return;
  }
  std::uint8_t all[16];
  vst1q_u8(all, codes);
  for (std::int64_t j = 0; j < columns; ++j) c[at + j] = all[j];
}

}  // namespace
}  // namespace octet::kernels
