#include <immintrin.h>

#include "kernels/u8s8/depthwise_ymm.h"

// 4 x 16 tile: 8 ymm of accumulators, 4 of weights. Taps in pairs: activations are widened to int16
// beside each other, and vpmaddwd is exact (gemm_avx2.cc).
namespace octet::kernels {
namespace {

struct Pairs {
  using Weight = std::int16_t;
  static constexpr int kTaps = 2;
  static constexpr bool kKeepsWeights = true;

  template <class W>
  [[gnu::always_inline]] static void multiply_add(__m256i (&acc)[4], const __m256i (&a)[2],
                                                  const W& w) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i halves[2] = {_mm256_unpacklo_epi8(a[0], a[1]), _mm256_unpackhi_epi8(a[0], a[1])};
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) {
      const __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi8(halves[h], zero), w(2 * h));
      const __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi8(halves[h], zero), w(2 * h + 1));
      acc[2 * h] = _mm256_add_epi32(acc[2 * h], low);
      acc[2 * h + 1] = _mm256_add_epi32(acc[2 * h + 1], high);
    }
  }
};

}  // namespace

void u8s8_depthwise_4x16_avx2(const GemmArgs& args, std::uint8_t* c) {
  for_each_depthwise_tile<DepthwiseYmm<Pairs>>(args, c);
}

}  // namespace octet::kernels
