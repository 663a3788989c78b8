#include <immintrin.h>

#include "kernels/u8s8/depthwise_tiles.h"
#include "kernels/u8s8/epilogue_avx512.h"

// 4 x 64 tile: 16 zmm of accumulators (4 per row), 4 of weights. Taps in fours, which vpdpbusd
// multiplies and adds without saturation. The unpacks that put them beside each other work within
// 128-bit lanes: lane l of accumulator v has the four channels from 16 l + 4 v on, until the end,
// and weights are packed so.
namespace octet::kernels {
namespace {

// The channels' order in accumulators: four 4 x 4 matrices of lanes transposed. Its own inverse.
[[gnu::always_inline]] inline void transpose_lanes(__m512i (&x)[4]) {
  const __m512i a = _mm512_shuffle_i32x4(x[0], x[1], 0x44);  // x0[0, 1], x1[0, 1]
  const __m512i b = _mm512_shuffle_i32x4(x[0], x[1], 0xEE);  // x0[2, 3], x1[2, 3]
  const __m512i c = _mm512_shuffle_i32x4(x[2], x[3], 0x44);
  const __m512i d = _mm512_shuffle_i32x4(x[2], x[3], 0xEE);
  x[0] = _mm512_shuffle_i32x4(a, c, 0x88);
  x[1] = _mm512_shuffle_i32x4(a, c, 0xDD);
  x[2] = _mm512_shuffle_i32x4(b, d, 0x88);
  x[3] = _mm512_shuffle_i32x4(b, d, 0xDD);
}

struct Kernel {
  static constexpr std::int64_t kChannels = 64;
  static constexpr int kTaps = 4;

  [[gnu::always_inline]] static void multiply_add(__m512i (&acc)[4], const __m512i (&a)[4],
                                                  const __m512i (&w)[4]) {
    const __m512i first[2] = {_mm512_unpacklo_epi8(a[0], a[1]), _mm512_unpackhi_epi8(a[0], a[1])};
    const __m512i last[2] = {_mm512_unpacklo_epi8(a[2], a[3]), _mm512_unpackhi_epi8(a[2], a[3])};
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) {
      const __m512i low = _mm512_unpacklo_epi16(first[h], last[h]);
      const __m512i high = _mm512_unpackhi_epi16(first[h], last[h]);
      acc[2 * h] = _mm512_dpbusd_epi32(acc[2 * h], low, w[2 * h]);
      acc[2 * h + 1] = _mm512_dpbusd_epi32(acc[2 * h + 1], high, w[2 * h + 1]);
    }
  }

  template <int Rows, bool kWhole, bool kComplete>
  [[gnu::always_inline]] static void multiply(__m512i (&acc)[Rows][4], const DepthwiseTile& tile) {
    const GemmArgs& args = tile.args;
    const std::uint8_t* anchors[Rows];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) anchors[r] = tile.a(r);
    const auto* weights = static_cast<const std::int8_t*>(args.packed_w) + tile.first * kTaps;
    const TapRun* const end = args.runs + args.run_count;
    for (const TapRun* taps = args.runs; taps != end; taps += kTaps) {
      const std::int8_t* from = weights + taps->weight * args.panel_k * kTaps;
      __m512i w[4];
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) w[v] = _mm512_load_si512(from + 64 * v);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        __m512i a[kTaps];
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; ++t) {
          a[t] = load_codes<4>(at_tap<kComplete>(anchors[r], taps[t]), kWhole ? 64 : tile.channels);
        }
        multiply_add(acc[r], a, w);
      }
    }
  }

  template <int Rows, bool kWhole>
  static void run(const DepthwiseTile& tile, std::uint8_t* c) {
    const GemmArgs& args = tile.args;
    __m512i bias[4];
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) bias[v] = load_16(args.epilogue.bias + tile.first + 16 * v);
    transpose_lanes(bias);
    __m512i acc[Rows][4];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) acc[r][v] = bias[v];
    }

    if (tile.complete) {
      multiply<Rows, kWhole, true>(acc, tile);
    } else {
      multiply<Rows, kWhole, false>(acc, tile);
    }

#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) OCTET_PIN(acc[r][v]);
      transpose_lanes(acc[r]);
    }
    store_rows<Rows>(c, args.c_rows + tile.row, acc, args.epilogue, tile.first,
                     kWhole ? 64 : tile.channels);
  }
};

}  // namespace

void u8s8_depthwise_4x64_avx512vnni(const GemmArgs& args, std::uint8_t* c) {
  for_each_depthwise_tile<Kernel>(args, c);
}

}  // namespace octet::kernels
