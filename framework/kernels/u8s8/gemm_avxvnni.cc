#include <immintrin.h>

#include "kernels/u8s8/epilogue_avx2.h"
#include "kernels/u8s8/gemm_tiles.h"

// 6 x 16 tile: 12 ymm of accumulators (2 per row), 2 of weights [8 columns][4 k], one of broadcast
// activations. vpdpbusd adds four u8 x s8 products to an int32 without saturation.
namespace octet::kernels {
namespace {

struct Kernel {
  static constexpr std::int64_t kMr = 6, kNr = 16;
  static constexpr int kChains = 4;  // of a single row

  static void clear(__m256i (&acc)[1][2]) { acc[0][0] = acc[0][1] = _mm256_setzero_si256(); }
  static void add(__m256i (&acc)[1][2], const __m256i (&more)[1][2]) {
    acc[0][0] = _mm256_add_epi32(acc[0][0], more[0][0]);
    acc[0][1] = _mm256_add_epi32(acc[0][1], more[0][1]);
  }

  // Four activations of each row, a(r) being row r's.
  template <int Rows, class A>
  [[gnu::always_inline]] static void multiply_add(__m256i (&acc)[Rows][2], const A& a,
                                                  const std::int8_t* w) {
    const __m256i w0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
    const __m256i w1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + 32));
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256i broadcast = _mm256_set1_epi32(a(r));
      acc[r][0] = _mm256_dpbusd_avx_epi32(acc[r][0], broadcast, w0);
      acc[r][1] = _mm256_dpbusd_avx_epi32(acc[r][1], broadcast, w1);
    }
  }

  template <int Rows, Pool kPool, class C>
  static void run(const Tile& tile, C* c) {
    const GemmArgs& args = tile.args;
    __m256i acc[Rows][2];
#pragma GCC unroll 8
    for (int v = 0; v < 2; ++v) {
      const __m256i bias = load_8(args.epilogue.bias + tile.first + 8 * v);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) acc[r][v] = bias;
    }

    multiply_runs<Kernel, Rows>(acc, tile);

    // Pins the accumulators to registers (gemm_tiles.h).
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) asm volatile("" : "+x"(acc[r][0]), "+x"(acc[r][1]));
    store_tile<kPool>(c, acc, tile);
  }
};

}  // namespace

void u8s8_gemm_6x16_avxvnni(const GemmArgs& args, std::uint8_t* c) {
  for_each_tile<Kernel>(args, 0, args.n, c);
}

void u8s8_gemm_6x16_avxvnni(const GemmArgs& args, std::int32_t* c) {
  for_each_tile<Kernel>(args, 0, args.n, c);
}

}  // namespace octet::kernels
