#include <immintrin.h>

#include "kernels/u8s8/epilogue_avx2.h"
#include "kernels/u8s8/gemm_tiles.h"

// 6 x 16 tile: 12 ymm of accumulators (2 per row), 2 of weights [8 columns][4 k], one of broadcast
// activations. vpdpbusd adds four u8 x s8 products to an int32 without saturation.
//
// Tests compile this file once more with OCTET_AVXVNNI_AS_AVX512VL: the same code with the EVEX
// form of the instruction, so that it is tested on CPUs with AVX-512 VNNI but without AVX-VNNI.
#ifdef OCTET_AVXVNNI_AS_AVX512VL
#define OCTET_DPBUSD _mm256_dpbusd_epi32
#define u8s8_gemm_6x16_avxvnni u8s8_gemm_6x16_avxvnni_as_avx512vl
#else
#define OCTET_DPBUSD _mm256_dpbusd_avx_epi32
#endif

namespace octet::kernels {
namespace {

struct Kernel {
  static constexpr std::int64_t kMr = 6, kNr = 16;

  // Four activations of each row, a(r) being row r's.
  template <int Rows, class A>
  [[gnu::always_inline]] static void multiply_add(__m256i (&acc)[Rows][2], const A& a,
                                                  const std::int8_t* w) {
    const __m256i w0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
    const __m256i w1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 32));
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256i broadcast = _mm256_set1_epi32(a(r));
      acc[r][0] = OCTET_DPBUSD(acc[r][0], broadcast, w0);
      acc[r][1] = OCTET_DPBUSD(acc[r][1], broadcast, w1);
    }
  }

  template <int Rows, class C>
  static void run(const Tile& tile, C* c) {
    const GemmArgs& args = tile.args;
    __m256i acc[Rows][2];
#pragma GCC unroll 8
    for (int v = 0; v < 2; ++v) {
      const __m256i bias = load_8(args.epilogue.bias + tile.first + 8 * v);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) acc[r][v] = bias;
    }

    const std::uint8_t* anchors[Rows];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) anchors[r] = tile.a(r);
    // Runs' last activations, fewer than four, come first: between the loops GCC would spill. Their
    // words go through memory, because moving them between registers takes more of those.
    for (std::int64_t q = 0; q < args.run_count; ++q) {
      const TapRun& run = args.runs[q];
      const std::int64_t tail = run.count % 4, whole = run.count - tail;
      if (tail == 0) continue;
      std::int32_t words[Rows];
      for (int r = 0; r < Rows; ++r) words[r] = load_tail(anchors[r] + run.source + whole, tail);
      asm volatile("" : "+m"(words));
      multiply_add<Rows>(
          acc, [&](int r) { return words[r]; }, tile.panel + (run.weight + whole) * kNr);
    }
    for (std::int64_t q = 0; q < args.run_count; ++q) {
      const std::int8_t* w = tile.panel + args.runs[q].weight * kNr;
      std::int64_t at = args.runs[q].source;
      const std::int64_t end = at + args.runs[q].count / 4 * 4;
      for (; at < end; at += 4, w += 4 * kNr) {
        multiply_add<Rows>(
            acc, [&](int r) { return load_4(anchors[r] + at); }, w);
      }
    }

    // Pins the accumulators to registers (gemm_tiles.h).
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) asm volatile("" : "+x"(acc[r][0]), "+x"(acc[r][1]));
    store_rows<Rows>(
        c, acc, args.epilogue, tile.first, tile.columns,
        [rows = args.c_rows + tile.row, first = tile.first](int r) { return rows[r] + first; });
  }
};

}  // namespace

void u8s8_gemm_6x16_avxvnni(const GemmArgs& args, std::uint8_t* c) {
  for_each_tile<Kernel>(args, c);
}

void u8s8_gemm_6x16_avxvnni(const GemmArgs& args, std::int32_t* c) {
  for_each_tile<Kernel>(args, c);
}

}  // namespace octet::kernels
