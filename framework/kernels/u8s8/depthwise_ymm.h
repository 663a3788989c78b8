#pragma once

#include "kernels/u8s8/depthwise_tiles.h"
#include "kernels/u8s8/epilogue_avx2.h"

// Depthwise tiles of up to 4 rows x 16 channels, for AVX2 and AVX-VNNI. A register holds 16
// channels of two rows, one in each half: so the unpacks, which work within halves, put the taps of
// a channel beside each other in the order of the channels. Accumulators are [row pair][4] vectors
// of 4 channels. Internal to the including file.
namespace octet::kernels {
namespace {

inline __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }

inline __m256i load_twice(const void* p) { return _mm256_broadcastsi128_si256(load_128(p)); }

// The first `count` (1 to 15) bytes; no other is read.
inline __m128i load_some(const std::uint8_t* a, std::int64_t count) {
  if (count >= 8) {  // two words, the second without what is in the first
    std::uint64_t low, high;
    __builtin_memcpy(&low, a, 8);
    __builtin_memcpy(&high, a + count - 8, 8);
    high = count == 8 ? 0 : high >> 8 * (16 - count);
    return _mm_set_epi64x(static_cast<std::int64_t>(high), static_cast<std::int64_t>(low));
  }
  if (count < 4) return _mm_cvtsi32_si128(load_tail(a, count));
  const std::uint64_t low = static_cast<std::uint32_t>(load_4(a));
  const std::uint64_t last = static_cast<std::uint32_t>(load_4(a + count - 4));
  return _mm_cvtsi64_si128(static_cast<std::int64_t>(low | last << 8 * (count - 4)));
}

template <bool kWhole>
[[gnu::always_inline]] inline __m256i load_rows(const std::uint8_t* first,
                                                const std::uint8_t* second, std::int64_t channels) {
  const __m128i low = kWhole ? load_128(first) : load_some(first, channels);
  const __m128i high = kWhole ? load_128(second) : load_some(second, channels);
  return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

// Isa has kTaps, a type Weight, and multiply_add(acc, a, w): acc[v] += the products of a group's
// taps, a[t] being 16 channels of two rows, w(v) the weights of 4 channels; kKeepsWeights: in
// registers, for all rows, where there are enough.
template <class Isa>
struct DepthwiseYmm {
  static constexpr std::int64_t kChannels = 16;
  static constexpr int kTaps = Isa::kTaps;

  template <int Rows, bool kWhole, bool kComplete, int Pairs>
  [[gnu::always_inline]] static void multiply(__m256i (&acc)[Pairs][4], const DepthwiseTile& tile) {
    const GemmArgs& args = tile.args;
    const std::uint8_t* anchors[2 * Pairs];  // a row without a second one is its own
#pragma GCC unroll 8
    for (int r = 0; r < 2 * Pairs; ++r) anchors[r] = tile.a(r < Rows ? r : Rows - 1);
    const auto* weights =
        static_cast<const typename Isa::Weight*>(args.packed_w) + tile.first * kTaps;
    const TapRun* const end = args.runs + args.run_count;
    for (const TapRun* taps = args.runs; taps != end; taps += kTaps) {
      const typename Isa::Weight* from = weights + taps->weight * args.panel_k * kTaps;
      const auto load_weights = [&](int v) { return load_twice(from + 4 * kTaps * v); };
      __m256i kept[4];
      if (Isa::kKeepsWeights) {
#pragma GCC unroll 8
        for (int v = 0; v < 4; ++v) kept[v] = load_weights(v);
      }
#pragma GCC unroll 8
      for (int p = 0; p < Pairs; ++p) {
        __m256i a[kTaps];
#pragma GCC unroll 8
        for (int t = 0; t < kTaps; ++t) {
          a[t] = load_rows<kWhole>(at_tap<kComplete>(anchors[2 * p], taps[t]),
                                   at_tap<kComplete>(anchors[2 * p + 1], taps[t]), tile.channels);
        }
        if (!Isa::kKeepsWeights) asm volatile("" : "+r"(from));  // or they would be kept
        Isa::multiply_add(acc[p], a,
                          [&](int v) { return Isa::kKeepsWeights ? kept[v] : load_weights(v); });
      }
    }
  }

  template <int Rows, bool kWhole>
  static void run(const DepthwiseTile& tile, std::uint8_t* c) {
    constexpr int kPairs = (Rows + 1) / 2;
    const GemmArgs& args = tile.args;
    __m256i acc[kPairs][4];
#pragma GCC unroll 8
    for (int v = 0; v < 4; ++v) {
      const __m256i bias = load_twice(args.epilogue.bias + tile.first + 4 * v);
#pragma GCC unroll 8
      for (int p = 0; p < kPairs; ++p) acc[p][v] = bias;
    }

    if (tile.complete) {
      multiply<Rows, kWhole, true>(acc, tile);
    } else {
      multiply<Rows, kWhole, false>(acc, tile);
    }

    __m256i rows[2 * kPairs][2];  // vectors of 8 channels
#pragma GCC unroll 8
    for (int p = 0; p < kPairs; ++p) {
#pragma GCC unroll 8
      for (int v = 0; v < 4; ++v) asm volatile("" : "+x"(acc[p][v]));  // (gemm_tiles.h)
#pragma GCC unroll 8
      for (int v = 0; v < 2; ++v) {
        rows[2 * p][v] = _mm256_permute2x128_si256(acc[p][2 * v], acc[p][2 * v + 1], 0x20);
        rows[2 * p + 1][v] = _mm256_permute2x128_si256(acc[p][2 * v], acc[p][2 * v + 1], 0x31);
      }
    }
    const auto at = [to = args.c_rows + tile.row, first = tile.first](int r) {
      return to[r < Rows ? r : Rows - 1] + first;
    };
    if constexpr (Rows == 1) {
      const __m256i only[1][2] = {{rows[0][0], rows[0][1]}};
      store_rows<1>(c, only, args.epilogue, tile.first, kWhole ? 16 : tile.channels, at);
    } else {
      store_rows<Rows>(c, rows, args.epilogue, tile.first, kWhole ? 16 : tile.channels, at);
    }
  }
};

}  // namespace
}  // namespace octet::kernels
