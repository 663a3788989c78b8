#include <immintrin.h>

#include "kernels/u8s8/copied_rows.h"
#include "kernels/u8s8/epilogue_avx2.h"
#include "kernels/u8s8/gemm_tiles.h"

// 6 x 16 tile: 12 ymm of accumulators (2 per row), 2 of weights [8 columns][2 k], one of broadcast
// activations, one for a product. Both operands are widened to int16: vpmaddwd is exact, at the
// same multiply rate as vpmaddubsw, which saturates (255 * 127 * 2 does not fit into int16).
// Weights are widened as they are loaded, which costs 2 % and halves what a network reads;
// activations once for all panels, in a copy of the rows that leaves the gaps between their runs
// out.
namespace octet::kernels {
namespace {

inline void widen_16(const std::uint8_t* a, std::int16_t* out) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepu8_epi16(codes));
}
inline void widen_8(const std::uint8_t* a, std::int16_t* out) {
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(a));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_cvtepu8_epi16(codes));
}
inline void widen_4(const std::uint8_t* a, std::int16_t* out) {
  const __m128i codes = _mm_cvtsi32_si128(load_4(a));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_cvtepu8_epi16(codes));
}

// Widens `count` activations, and a zero behind an odd count. A rest overlaps what came before.
inline void widen(const std::uint8_t* a, std::int64_t count, std::int16_t* out) {
  if (count >= 16) {
    for (std::int64_t p = 0; p + 16 <= count; p += 16) widen_16(a + p, out + p);
    if (count % 16 != 0) widen_16(a + count - 16, out + count - 16);
  } else if (count >= 8) {
    widen_8(a, out);
    widen_8(a + count - 8, out + count - 8);
  } else if (count >= 4) {
    widen_4(a, out);
    widen_4(a + count - 4, out + count - 4);
  } else {
    for (std::int64_t p = 0; p < count; ++p) out[p] = a[p];
  }
  if (count % 2 != 0) out[count] = 0;
}

inline std::int64_t even(std::int64_t count) { return (count + 1) / 2 * 2; }

inline std::int32_t load_pair(const std::int16_t* a) {
  std::int32_t word;
  __builtin_memcpy(&word, a, 4);
  return word;
}

inline __m256i load_weights(const std::int8_t* w) {
  return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(w)));
}

// kVectors of 8 columns: 1 where a panel has no more, and then the second is never stored.
// kWide: rows are read in place (GemmArgs::wide_a) and not from the copy.
template <int kVectors, bool kWide>
struct Kernel {
  static constexpr std::int64_t kMr = 6, kNr = 16;

  // One pair of activations of each row.
  template <int Rows, class At>
  [[gnu::always_inline]] static void multiply_add(__m256i (&acc)[Rows][2], const At& at,
                                                  const std::int8_t* w) {
    __m256i weights[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) weights[v] = load_weights(w + 16 * v);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m256i broadcast = _mm256_set1_epi32(load_pair(at(r)));
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = _mm256_add_epi32(acc[r][v], _mm256_madd_epi16(broadcast, weights[v]));
      }
    }
  }

  template <int Rows>
  [[gnu::always_inline]] static void multiply_wide(__m256i (&acc)[Rows][2], const Tile& tile) {
    const GemmArgs& args = tile.args;
    const std::int16_t* anchors[Rows];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) anchors[r] = args.wide_a + args.a_rows[tile.row + r];
    for (std::int64_t q = 0; q < args.run_count; ++q) {
      const std::int8_t* w = tile.panel + args.runs[q].weight * kNr;
      std::int64_t k = args.runs[q].source;
      for (const std::int64_t end = k + args.runs[q].count; k < end; k += 2, w += 2 * kNr) {
        multiply_add<Rows>(
            acc, [&](int r) { return anchors[r] + k; }, w);
      }
    }
  }

  template <int Rows>
  [[gnu::always_inline]] static void multiply_copied(__m256i (&acc)[Rows][2], const Tile& tile) {
    const GemmArgs& args = tile.args;
    const std::ptrdiff_t stride = copied_row_stride(args.panel_k);
    const auto* low = reinterpret_cast<const std::int16_t*>(args.scratch) + tile.row * stride;
    const std::int16_t* high = low + 3 * stride;
    for (std::int64_t q = 0; q < args.run_count;) {
      // Runs that follow each other in the panel are one.
      const std::int64_t first = args.runs[q].weight;
      std::int64_t end = first;
      do {
        end += even(args.runs[q++].count);
      } while (q < args.run_count && args.runs[q].weight == end);
      const std::int8_t* w = tile.panel + first * kNr;
      for (std::int64_t pairs = (end - first) / 2; pairs > 0; --pairs, w += 2 * kNr) {
        multiply_add<Rows>(
            acc, [&](int r) { return r < 3 ? low + r * stride : high + (r - 3) * stride; }, w);
        low += 2;
        high += 2;
      }
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
    if constexpr (kWide) {
      multiply_wide(acc, tile);
    } else {
      multiply_copied(acc, tile);
    }
    // Pins the accumulators to registers (gemm_tiles.h).
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) asm volatile("" : "+x"(acc[r][0]), "+x"(acc[r][1]));
    store_tile<kPool>(c, acc, tile);
  }
};

void copy_rows(const GemmArgs& args) {
  auto* row = reinterpret_cast<std::int16_t*>(args.scratch);
  for (std::int64_t i = 0; i < args.m; ++i, row += copied_row_stride(args.panel_k)) {
    const std::uint8_t* a = args.a + args.a_rows[i];
    std::int16_t* to = row;
    for (std::int64_t q = 0; q < args.run_count; ++q) {
      const TapRun& run = args.runs[q];
      widen(a + run.source, run.count, to);
      to += even(run.count);
    }
  }
}

template <bool kWide, class C>
void tiles(const GemmArgs& args, C* c) {
  if (args.n <= 8 && args.pool != Pool::kFolded) {
    for_each_tile<Kernel<1, kWide>>(args, 0, args.n, c);
  } else {
    for_each_tile<Kernel<2, kWide>>(args, 0, args.n, c);
  }
}

template <class C>
void gemm(const GemmArgs& args, C* c) {
  if (args.a == nullptr) {
    tiles<true>(args, c);
  } else {
    copy_rows(args);
    tiles<false>(args, c);
  }
}

}  // namespace

void u8s8_gemm_6x16_avx2(const GemmArgs& args, std::uint8_t* c) { gemm(args, c); }

void u8s8_gemm_6x16_avx2(const GemmArgs& args, std::int32_t* c) { gemm(args, c); }

}  // namespace octet::kernels
