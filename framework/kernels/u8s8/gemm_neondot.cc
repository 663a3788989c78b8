#include "kernels/u8s8/epilogue_neon.h"
#include "kernels/u8s8/gemm_tiles.h"

// 4 x 16 tile: 16 accumulators (4 per row), 4 registers of weights [4 columns][4 k], 4 of
// activations (16 k of a row each, chosen by lane).
namespace octet::kernels {
namespace {

// Row i of acc becomes the largest of the rows that pooling makes one.
template <Pool kPool, int Rows>
[[gnu::always_inline]] inline void pool_rows(int32x4_t (&acc)[Rows][4]) {
  constexpr int kGroup = rows_of(kPool);
  if constexpr (kPool == Pool::kNone) return;
#pragma GCC unroll 8
  for (int i = 0; i < Rows / kGroup; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) {
      int32x4_t largest = acc[kGroup * i][v];
#pragma GCC unroll 8
      for (int r = 1; r < kGroup; ++r) largest = vmaxq_s32(largest, acc[kGroup * i + r][v]);
      acc[i][v] = largest;
    }
    if (kPool == Pool::kFolded) {
      acc[i][0] = vmaxq_s32(acc[i][0], acc[i][2]);
      acc[i][1] = vmaxq_s32(acc[i][1], acc[i][3]);
    }
  }
}

struct Kernel {
  static constexpr std::int64_t kMr = 4, kNr = 16;

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

  template <int Rows, Pool kPool, class C>
  static void run(const Tile& tile, C* c) {
    const GemmArgs& args = tile.args;
    int32x4_t acc[Rows][4];
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) {
      const int32x4_t bias = vld1q_s32(args.epilogue.bias + tile.first + 4 * v);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) acc[r][v] = bias;
    }

    const std::uint8_t* anchors[Rows];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) anchors[r] = tile.a(r);
    int8x16_t codes[Rows];
    for (std::int64_t q = 0; q < args.run_count; ++q) {
      const std::int8_t* w = tile.panel + args.runs[q].weight * kNr;
      std::int64_t at = args.runs[q].source, p = args.runs[q].count;
      for (; p >= 16; p -= 16, at += 16, w += 16 * kNr) {
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) codes[r] = signed_codes(vld1q_u8(anchors[r] + at));
        multiply_add<0, Rows>(acc, codes, w);
        multiply_add<1, Rows>(acc, codes, w + 4 * kNr);
        multiply_add<2, Rows>(acc, codes, w + 8 * kNr);
        multiply_add<3, Rows>(acc, codes, w + 12 * kNr);
      }
      for (; p > 0; p -= 4, at += 4, w += 4 * kNr) {
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) {
          const std::uint8_t* a = anchors[r] + at;
          const std::int32_t word = p >= 4 ? load_4(a) : load_tail(a, p);
          codes[r] = signed_codes(vreinterpretq_u8_s32(vdupq_n_s32(word)));
        }
        multiply_add<0, Rows>(acc, codes, w);
      }
    }

    // Pins the accumulators to registers (gemm_tiles.h).
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) asm volatile("" : "+w"(acc[r][v]));
    }
    pool_rows<kPool, Rows>(acc);
    constexpr int kStored = Rows / rows_of(kPool);
#pragma GCC unroll 8
    for (int r = 0; r < kStored; ++r) {
      store(c, tile.c<kPool>(r), acc[r], args.epilogue, tile.first, tile.columns);
    }
  }
};

}  // namespace

void u8s8_gemm_4x16_neondot(const GemmArgs& args, std::uint8_t* c) {
  for_each_tile<Kernel>(args, 0, args.n, c);
}

void u8s8_gemm_4x16_neondot(const GemmArgs& args, std::int32_t* c) {
  for_each_tile<Kernel>(args, 0, args.n, c);
}

}  // namespace octet::kernels
