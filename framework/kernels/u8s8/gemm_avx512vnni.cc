#include <immintrin.h>

#include "kernels/u8s8/epilogue_avx512.h"

// 6 x 64 tile: zmm0-23 accumulators (4 per row), 4 registers of weights [16 columns][4 k], one of
// broadcast activations; where a panel has at most 32 or 16 columns, 8 rows of 2 or 12 of 1.
// vpdpbusd adds four u8 x s8 products to an int32 without saturation.

namespace octet::kernels {
namespace {

// kVectors of a panel's four.
template <int Vectors>
struct Kernel {
  static constexpr int kVectors = Vectors;
  static constexpr std::int64_t kMr = kVectors == 4 ? 6 : kVectors == 2 ? 8 : 12, kNr = 64;

  static constexpr int kChains = kVectors == 4 ? 2 : 4;  // of a single row

  static void clear(__m512i (&acc)[1][kVectors]) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[0][v] = _mm512_setzero_si512();
  }
  static void add(__m512i (&acc)[1][kVectors], const __m512i (&more)[1][kVectors]) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) acc[0][v] = _mm512_add_epi32(acc[0][v], more[0][v]);
  }

  // Four activations of each row, a(r) being row r's.
  template <int Rows, class A>
  [[gnu::always_inline]] static void multiply_add(__m512i (&acc)[Rows][kVectors], const A& a,
                                                  const std::int8_t* w) {
    __m512i weights[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) weights[v] = _mm512_load_si512(w + 64 * v);
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
      const __m512i broadcast = _mm512_set1_epi32(a(r));
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = _mm512_dpbusd_epi32(acc[r][v], broadcast, weights[v]);
      }
    }
  }

  template <int Rows, Pool kPool, class C>
  static void run(const Tile& tile, C* c) {
    const GemmArgs& args = tile.args;
    const Epilogue& e = args.epilogue;
    __m512i acc[Rows][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const __m512i bias = load_16(e.bias + tile.first + 16 * v);
#pragma GCC unroll 12
      for (int r = 0; r < Rows; ++r) acc[r][v] = bias;
    }

    multiply_runs<Kernel, Rows>(acc, tile);

#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) OCTET_PIN(acc[r][v]);
    }
    pool_rows<kPool>(acc);
    store_rows<Rows / rows_of(kPool)>(c, args.c_rows + tile.row / rows_of(kPool), acc, e,
                                      tile.first, tile.columns);
  }
};

template <class C>
void gemm(const GemmArgs& args, C* c) {
  const std::int64_t rest = args.n % 64, whole = args.n - rest;
  if (rest > 32) return for_each_tile<Kernel<4>>(args, 0, args.n, c);
  for_each_tile<Kernel<4>>(args, 0, whole, c);
  if (rest > 16) {
    for_each_tile<Kernel<2>>(args, whole, args.n, c);
  } else {
    for_each_tile<Kernel<1>>(args, whole, args.n, c);
  }
}

}  // namespace

void u8s8_gemm_6x64_avx512vnni(const GemmArgs& args, std::uint8_t* c) { gemm(args, c); }

void u8s8_gemm_6x64_avx512vnni(const GemmArgs& args, std::int32_t* c) { gemm(args, c); }

}  // namespace octet::kernels
