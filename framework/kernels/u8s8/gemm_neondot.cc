#include <arm_neon.h>

#include "kernels/u8s8/gemm_tiles.h"

// 4 x 16 tile: 16 accumulators (4 per row), 4 registers of weights [4 columns][4 k], 4 of
// activations (16 k of a row each, chosen by lane). sdot multiplies s8 by s8, so activations become
// a - 128 by flipping their highest bit, and 128 * sum of w, which stands before the weights of
// each panel, is added back. The sums are taken modulo 2^32, so the accumulator is the same to the
// last bit.
namespace octet::kernels {
namespace {

int8x16_t signed_codes(uint8x16_t codes) {
  return vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(0x80)));
}

// eq. (9) for 4 columns. vrshrn rounds half up, like the scalar code.
int32x4_t requantize(int32x4_t acc, const Epilogue& e, std::int64_t column) {
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

// Stores the first `columns` of 16 accumulators.
void store(std::int32_t* c, const int32x4_t (&acc)[4], const Epilogue&, std::int64_t,
           std::int64_t columns) {
  if (columns == 16) {
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) vst1q_s32(c + 4 * v, acc[v]);
    return;
  }
  std::int32_t all[16];
#pragma GCC unroll 8
  for (int v = 0; v < 4; ++v) vst1q_s32(all + 4 * v, acc[v]);
  for (std::int64_t j = 0; j < columns; ++j) c[j] = all[j];
}

void store(std::uint8_t* c, const int32x4_t (&acc)[4], const Epilogue& e, std::int64_t column,
           std::int64_t columns) {
  int16x4_t words[4];
#pragma GCC unroll 8
  for (int v = 0; v < 4; ++v) words[v] = vmovn_s32(requantize(acc[v], e, column + 4 * v));
  const uint8x16_t codes = vcombine_u8(vqmovun_s16(vcombine_s16(words[0], words[1])),
                                       vqmovun_s16(vcombine_s16(words[2], words[3])));
  if (columns == 16) {
    vst1q_u8(c, codes);
    return;
  }
  std::uint8_t all[16];
  vst1q_u8(all, codes);
  for (std::int64_t j = 0; j < columns; ++j) c[j] = all[j];
}

struct Kernel {
  static constexpr std::int64_t kMr = 4, kNr = 16;

  static std::int64_t panel_bytes(std::int64_t k) { return 4 * kNr + (k + 3) / 4 * 4 * kNr; }

  // Four k of all columns, which are lane `Lane` of the activations.
  template <int Lane, int Rows>
  [[gnu::always_inline]] static void multiply_add(int32x4_t (&acc)[Rows][4],
                                                  const int8x16_t (&a)[Rows],
                                                  const std::int8_t* w) {
    int8x16_t weights[4];
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) weights[v] = vld1q_s8(w + 16 * v);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) acc[r][v] = vdotq_laneq_s32(acc[r][v], weights[v], a[r], Lane);
    }
  }

  template <int Rows, class C>
  static void run(const Tile& tile, C* c, std::ptrdiff_t c_stride) {
    const Epilogue& e = *tile.epilogue;
    const auto* sums = static_cast<const std::int32_t*>(tile.panel);
    int32x4_t acc[Rows][4];
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) {
      const int32x4_t start =
          vaddq_s32(vld1q_s32(e.bias + tile.first + 4 * v), vld1q_s32(sums + 4 * v));
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) acc[r][v] = start;
    }

    const auto* w = reinterpret_cast<const std::int8_t*>(sums + kNr);
    const std::uint8_t* a = tile.a;
    int8x16_t codes[Rows];
    std::int64_t p = tile.k;
    for (; p >= 16; p -= 16, a += 16, w += 16 * kNr) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) codes[r] = signed_codes(vld1q_u8(a + r * tile.a_stride));
      multiply_add<0, Rows>(acc, codes, w);
      multiply_add<1, Rows>(acc, codes, w + 4 * kNr);
      multiply_add<2, Rows>(acc, codes, w + 8 * kNr);
      multiply_add<3, Rows>(acc, codes, w + 12 * kNr);
    }
    for (; p > 0; p -= 4, a += 4, w += 4 * kNr) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const std::uint8_t* row = a + r * tile.a_stride;
        const std::int32_t word = p >= 4 ? load_4(row) : load_tail(row, p);
        codes[r] = signed_codes(vreinterpretq_u8_s32(vdupq_n_s32(word)));
      }
      multiply_add<0, Rows>(acc, codes, w);
    }

    // Pins the accumulators to registers (gemm_tiles.h).
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) asm volatile("" : "+w"(acc[r][v]));
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      store(c + r * c_stride, acc[r], e, tile.first, tile.columns);
    }
  }
};

}  // namespace

void u8s8_gemm_4x16_neondot(const GemmArgs& args, std::uint8_t* c, std::ptrdiff_t c_stride) {
  for_each_tile<Kernel>(args, c, c_stride);
}

void u8s8_gemm_4x16_neondot(const GemmArgs& args, std::int32_t* c, std::ptrdiff_t c_stride) {
  for_each_tile<Kernel>(args, c, c_stride);
}

}  // namespace octet::kernels
