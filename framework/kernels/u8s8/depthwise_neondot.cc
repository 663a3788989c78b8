#include "kernels/u8s8/depthwise_tiles.h"
#include "kernels/u8s8/epilogue_neon.h"

// 4 x 16 tile: 16 accumulators (4 per row), 4 registers of weights. Taps in fours, which zips put
// beside each other and sdot multiplies and adds.
namespace octet::kernels {
namespace {

struct Kernel {
  static constexpr std::int64_t kChannels = 16;
  static constexpr int kTaps = 4;

  static int32x4_t multiply_add(int32x4_t acc, uint16x8_t four, int8x16_t w) {
    return vdotq_s32(acc, signed_codes(vreinterpretq_u8_u16(four)), w);
  }

  template <int Rows, bool kWhole, bool kComplete>
  [[gnu::always_inline]] static void multiply(int32x4_t (&acc)[Rows][4],
                                              const DepthwiseTile& tile) {
    const GemmArgs& args = tile.args;
    const std::uint8_t* anchors[Rows];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) anchors[r] = tile.a(r);
    const auto* weights = static_cast<const std::int8_t*>(args.packed_w) + tile.first * kTaps;
    const TapRun* const end = args.runs + args.run_count;
    for (const TapRun* taps = args.runs; taps != end; taps += kTaps) {
      const std::int8_t* from = weights + taps->weight * args.panel_k * kTaps;
      int8x16_t w[4];
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) w[v] = vld1q_s8(from + 16 * v);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        uint8x16_t a[kTaps];
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; ++t)
          a[t] = load_codes(at_tap<kComplete, 128>(anchors[r], taps[t]),
                            kWhole ? kChannels : tile.channels);
        const uint16x8_t low[2] = {vreinterpretq_u16_u8(vzip1q_u8(a[0], a[1])),
                                   vreinterpretq_u16_u8(vzip1q_u8(a[2], a[3]))};
        const uint16x8_t high[2] = {vreinterpretq_u16_u8(vzip2q_u8(a[0], a[1])),
                                    vreinterpretq_u16_u8(vzip2q_u8(a[2], a[3]))};
        acc[r][0] = multiply_add(acc[r][0], vzip1q_u16(low[0], low[1]), w[0]);
        acc[r][1] = multiply_add(acc[r][1], vzip2q_u16(low[0], low[1]), w[1]);
        acc[r][2] = multiply_add(acc[r][2], vzip1q_u16(high[0], high[1]), w[2]);
        acc[r][3] = multiply_add(acc[r][3], vzip2q_u16(high[0], high[1]), w[3]);
      }
    }
  }

  template <int Rows, bool kWhole>
  static void run(const DepthwiseTile& tile, std::uint8_t* c) {
    const GemmArgs& args = tile.args;
    const std::int64_t channels = kWhole ? kChannels : tile.channels;
    int32x4_t acc[Rows][4];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) acc[r][v] = vld1q_s32(args.epilogue.bias + tile.first + 4 * v);
    }

    if (tile.complete) {
      multiply<Rows, kWhole, true>(acc, tile);
    } else {
      multiply<Rows, kWhole, false>(acc, tile);
    }

#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) asm volatile("" : "+w"(acc[r][v]));  // (gemm_tiles.h)
      store(c, args.c_rows[tile.row + r] + tile.first, acc[r], args.epilogue, tile.first, channels);
    }
  }
};

}  // namespace

void u8s8_depthwise_4x16_neondot(const GemmArgs& args, std::uint8_t* c) {
  for_each_depthwise_tile<Kernel>(args, c);
}

}  // namespace octet::kernels
