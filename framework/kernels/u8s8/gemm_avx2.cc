#include <immintrin.h>

#include "kernels/u8s8/epilogue_avx2.h"
#include "kernels/u8s8/gemm_tiles.h"

// 4 x 16 tile: 8 ymm of accumulators (2 per row), 2 of weights [8 columns][2 k] int16, one of
// broadcast activations. Both operands are widened to int16, the weights when they are packed:
// vpmaddwd is exact, at the same multiply rate as vpmaddubsw, which saturates (255 * 127 * 2 does
// not fit into int16).
namespace octet::kernels {
namespace {

// Activations of a tile that are widened at a time: 4 rows of 256 int16 are 2 KiB of L1.
constexpr std::int64_t kChunk = 256;

// Widens `count` activations, and a zero behind an odd count.
inline void widen(const std::uint8_t* a, std::int64_t count, std::int16_t* out) {
  std::int64_t p = 0;
  for (; p + 16 <= count; p += 16) {
    const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + p));
    _mm256_store_si256(reinterpret_cast<__m256i*>(out + p), _mm256_cvtepu8_epi16(codes));
  }
  for (; p < count; ++p) out[p] = a[p];
  if (count % 2 != 0) out[count] = 0;
}

inline std::int32_t load_pair(const std::int16_t* a) {
  std::int32_t word;
  __builtin_memcpy(&word, a, 4);
  return word;
}

struct Kernel {
  static constexpr std::int64_t kMr = 4, kNr = 16;

  static std::int64_t panel_bytes(std::int64_t k) { return (k + 1) / 2 * 4 * kNr; }

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

    alignas(32) std::int16_t wide[Rows][kChunk];
    const auto* w = static_cast<const __m256i*>(tile.panel);
    for (std::int64_t first = 0; first < tile.k; first += kChunk) {
      const std::int64_t count = tile.k - first < kChunk ? tile.k - first : kChunk;
      for (int r = 0; r < Rows; ++r) widen(tile.a + r * tile.a_stride + first, count, wide[r]);
      for (std::int64_t p = 0; p < count; p += 2, w += 2) {
        const __m256i w0 = _mm256_load_si256(w), w1 = _mm256_load_si256(w + 1);
#pragma GCC unroll 8
        for (int r = 0; r < Rows; ++r) {
          const __m256i broadcast = _mm256_set1_epi32(load_pair(wide[r] + p));
          acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(broadcast, w0));
          acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(broadcast, w1));
        }
      }
      // Pins the accumulators to registers (gemm_tiles.h).
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) asm volatile("" : "+x"(acc[r][0]), "+x"(acc[r][1]));
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      store_16(c + r * c_stride, acc[r], e, tile.first, tile.columns);
    }
  }
};

}  // namespace

void u8s8_gemm_4x16_avx2(const GemmArgs& args, std::uint8_t* c, std::ptrdiff_t c_stride) {
  for_each_tile<Kernel>(args, c, c_stride);
}

void u8s8_gemm_4x16_avx2(const GemmArgs& args, std::int32_t* c, std::ptrdiff_t c_stride) {
  for_each_tile<Kernel>(args, c, c_stride);
}

}  // namespace octet::kernels
