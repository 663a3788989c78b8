#include <immintrin.h>

#include "file/sha256_blocks.h"

namespace octet {

void sha256_blocks_sha(std::uint32_t* state, const std::byte* blocks, std::size_t count) {
  const auto word = [state](int i) { return static_cast<int>(state[i]); };
  // The instructions keep a, b, e, f in one register and c, d, g, h in the other.
  __m128i abef = _mm_set_epi32(word(0), word(1), word(4), word(5));
  __m128i cdgh = _mm_set_epi32(word(2), word(3), word(6), word(7));
  const __m128i big_endian = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
  for (; count > 0; --count, blocks += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];  // the last 16 words of the schedule, a ring
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {  // four rounds
      if (i < 4) {
        w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks + 16 * i)),
                                big_endian);
      } else {
        const __m128i last = w[(i + 3) % 4];
        const __m128i seventh = _mm_alignr_epi8(last, w[(i + 2) % 4], 4);  // words t - 7
        w[i % 4] = _mm_sha256msg2_epu32(
            _mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]), seventh), last);
      }
      const __m128i sum = _mm_add_epi32(
          w[i % 4], _mm_loadu_si128(reinterpret_cast<const __m128i*>(kSha256Rounds + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  alignas(16) std::uint32_t fe_ba[4], hg_dc[4];
  _mm_store_si128(reinterpret_cast<__m128i*>(fe_ba), abef);
  _mm_store_si128(reinterpret_cast<__m128i*>(hg_dc), cdgh);
  state[0] = fe_ba[3], state[1] = fe_ba[2], state[4] = fe_ba[1], state[5] = fe_ba[0];
  state[2] = hg_dc[3], state[3] = hg_dc[2], state[6] = hg_dc[1], state[7] = hg_dc[0];
}

}  // namespace octet
