#include <immintrin.h>

#include "kernels/u8s8/depthwise_ymm.h"

// 4 x 16 tile: 8 ymm of accumulators, 4 of weights. Taps in fours, which vpdpbusd multiplies and
// adds without saturation.
namespace octet::kernels {
namespace {

struct Fours {
  using Weight = std::int8_t;
  static constexpr int kTaps = 4;
  static constexpr bool kKeepsWeights = false;

  template <class W>
  [[gnu::always_inline]] static void multiply_add(__m256i (&acc)[4], const __m256i (&a)[4],
                                                  const W& w) {
    const __m256i first[2] = {_mm256_unpacklo_epi8(a[0], a[1]), _mm256_unpackhi_epi8(a[0], a[1])};
    const __m256i last[2] = {_mm256_unpacklo_epi8(a[2], a[3]), _mm256_unpackhi_epi8(a[2], a[3])};
#pragma GCC unroll 8
    for (int h = 0; h < 2; ++h) {
      const __m256i low = _mm256_unpacklo_epi16(first[h], last[h]);
      const __m256i high = _mm256_unpackhi_epi16(first[h], last[h]);
      acc[2 * h] = _mm256_dpbusd_avx_epi32(acc[2 * h], low, w(2 * h));
      acc[2 * h + 1] = _mm256_dpbusd_avx_epi32(acc[2 * h + 1], high, w(2 * h + 1));
    }
  }
};

}  // namespace

void u8s8_depthwise_4x16_avxvnni(const GemmArgs& args, std::uint8_t* c) {
  for_each_depthwise_tile<DepthwiseYmm<Fours>>(args, c);
}

}  // namespace octet::kernels
