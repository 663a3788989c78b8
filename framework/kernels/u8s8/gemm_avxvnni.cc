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

  static std::int64_t panel_bytes(std::int64_t k) { return (k + 3) / 4 * 4 * kNr; }

  template <int Rows>
  [[gnu::always_inline]] static void multiply_add(__m256i (&acc)[Rows][2],
                                                  const std::int32_t (&a)[Rows], const __m256i* w) {
    const __m256i w0 = _mm256_load_si256(w), w1 = _mm256_load_si256(w + 1);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256i broadcast = _mm256_set1_epi32(a[r]);
      acc[r][0] = OCTET_DPBUSD(acc[r][0], broadcast, w0);
      acc[r][1] = OCTET_DPBUSD(acc[r][1], broadcast, w1);
    }
  }

  template <int Rows, class C>
  static void run(const Tile& tile, C* c, std::ptrdiff_t c_stride) {
    const Epilogue& e = *tile.epilogue;
    __m256i acc[Rows][2];
#pragma GCC unroll 8
    for (int v = 0; v < 2; ++v) {
      const __m256i bias = load_8(e.bias + tile.first + 8 * v);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) acc[r][v] = bias;
    }

    const auto* w = static_cast<const __m256i*>(tile.panel);
    const std::uint8_t* a = tile.a;
    std::int32_t words[Rows];
    for (std::int64_t p = tile.k; p >= 4; p -= 4, a += 4, w += 2) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) words[r] = load_4(a + r * tile.a_stride);
      multiply_add<Rows>(acc, words, w);
    }
    if (const std::int64_t tail = tile.k % 4; tail != 0) {
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) words[r] = load_tail(a + r * tile.a_stride, tail);
      multiply_add<Rows>(acc, words, w);
    }

    // Pins the accumulators to registers (gemm_tiles.h).
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) asm volatile("" : "+x"(acc[r][0]), "+x"(acc[r][1]));
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      store_16(c + r * c_stride, acc[r], e, tile.first, tile.columns);
    }
  }
};

}  // namespace

void u8s8_gemm_6x16_avxvnni(const GemmArgs& args, std::uint8_t* c, std::ptrdiff_t c_stride) {
  for_each_tile<Kernel>(args, c, c_stride);
}

void u8s8_gemm_6x16_avxvnni(const GemmArgs& args, std::int32_t* c, std::ptrdiff_t c_stride) {
  for_each_tile<Kernel>(args, c, c_stride);
}

}  // namespace octet::kernels
