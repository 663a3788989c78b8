#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "kernels/f32/gemm.h"

// gemm, written once over a vector type; included by one file per instruction set. Everything lies
// in an anonymous namespace: code compiled for one instruction set must not be merged with
// another's.
//
// A vector type V has Reg, Mask, kWidth, and
//   kMaxVectors, max_rows(NV, unit_rows)   the register tiles: so many rows of NV vectors of
//                                          accumulators
//   Narrow                       the type for n <= Narrow::kWidth (V itself if there is none)
//   mask(n)                      the first n lanes, 1 <= n <= kWidth; kMasksCost: masked loads and
//                                stores are slower than others
//   zero() broadcast(p) load(p) load(p, mask) store(p, r) store(p, r, mask) fma(a, b, c)
//   relu(r)                      max(r, 0), and -0.0 and NaN as they are
//   least(r, p)                  min(r, *p), and NaN as it is
//   where_positive(y, r)         r where y > 0, else 0
namespace octet::kernels {
namespace {

// How the rows of a product are found (GemmF32Args): by a constant stride of a along k, or along
// the rows, or by lists.
enum class Rows { kStrided, kUnit, kListed };

// In the place of a mask: all lanes. Where masks cost (V::kMasksCost), whole tiles do without.
struct WholeVector {};

template <class V, class M>
typename V::Reg load_last(const float* p, M mask) {
  if constexpr (std::is_same_v<M, WholeVector>) {
    return V::load(p);
  } else {
    return V::load(p, mask);
  }
}

template <class V, class M>
void store_last(float* p, typename V::Reg r, M mask) {
  if constexpr (std::is_same_v<M, WholeVector>) {
    V::store(p, r);
  } else {
    V::store(p, r, mask);
  }
}

// What is left of GemmF32Args::next.
struct NextLines {
  const float* at[2];
  const float* end[2];

  explicit NextLines(const GemmF32Args& g)
      : at{g.next.from, g.next_too.from},
        end{g.next.from + g.next.floats, g.next_too.from + g.next_too.floats} {}

  // Where a tile that prefetches so many lines begins; null: nothing is left.
  const float* take(std::int64_t lines) {
    for (int i = 0; i < 2; ++i) {
      if (at[i] >= end[i]) continue;
      const float* from = at[i];
      at[i] += 16 * lines;
      return from;
    }
    return nullptr;
  }
};

// The links of a tile's chain for each line that it prefetches; 0: it does not. A prefetch takes
// longer than a link of a small tile.
template <class V, int NV, int MR>
constexpr int links_per_prefetch() {
  constexpr int kNarrow = GemmF32Args::kNarrowLinksPerLine;
  return MR < 4 ? 0 : NV * V::kWidth == 64 ? 1 : NV * V::kWidth == 16 && NV > 1 ? kNarrow : 0;
}

// One register tile: rows [0, MR) x NV vectors, the last one masked.
//   accumulators acc[MR][NV]; per k: NV registers of b, and a[i, k] broadcast (on AVX-512 as the
//   memory operand of the fma).
// Rows::kUnit: a_row is 1, so that row addresses are constants, kGroup of them from one pointer;
// otherwise a_col is 1 and every third row has its pointer, or each that is listed.
//   a, c, init, add: of the first row; listed ones: as in g, the tile's rows being `listed` on
template <class V, class M, int NV, int MR, Rows kRows,
          int kGroup = kRows == Rows::kUnit      ? MR
                       : kRows == Rows::kStrided ? 3
                                                 : 1>
void gemm_tile(const GemmF32Args& g, const float* a, const float* b, const float* init,
               const float* add, float* c, std::int64_t listed, M last, const float* next) {
  constexpr int kPrefetch = links_per_prefetch<V, NV, MR>();
  constexpr bool kUnitRows = kRows == Rows::kUnit, kListed = kRows == Rows::kListed;
  const std::ptrdiff_t* c_rows = g.c_rows + (kListed ? listed : 0);
  const auto c_row = [&](int i) { return kListed ? c_rows[i] : i * g.c_row; };
  const std::ptrdiff_t next_step = next == nullptr ? 0 : g.next_step;
  if (next == nullptr) next = a;
  typename V::Reg acc[MR][NV];
#pragma GCC unroll 28
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      if (init == nullptr) {
        acc[i][j] = V::zero();
      } else {
        const std::ptrdiff_t row = !kListed ? i * g.init_row : g.init_row == 0 ? 0 : c_row(i);
        const float* from = init + row + j * V::kWidth;
        acc[i][j] = j + 1 < NV ? V::load(from) : load_last<V>(from, last);
      }
    }
  }
  constexpr int kPointers = (MR + kGroup - 1) / kGroup;
  const float* rows[kPointers];
#pragma GCC unroll 10
  for (int q = 0; q < kPointers; ++q) {
    rows[q] = a + (kListed     ? g.a_rows[listed + q]
                   : kUnitRows ? q * g.a_group
                               : q * kGroup * g.a_row);
  }
  const std::ptrdiff_t a_row = kUnitRows ? 1 : g.a_row, a_col = kUnitRows ? g.a_col : 1;
  const std::ptrdiff_t b_row = g.b_row;
  const std::ptrdiff_t a_jump = g.a_run - g.k * a_col, b_jump = g.b_run - g.k * b_row;
  const auto link = [&]() __attribute__((always_inline)) {
    typename V::Reg bv[NV];
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      bv[j] = j + 1 < NV ? V::load(b + j * V::kWidth) : load_last<V>(b + j * V::kWidth, last);
    }
#pragma GCC unroll 28
    for (int i = 0; i < MR; ++i) {
      const typename V::Reg av = V::broadcast(rows[i / kGroup] + (i % kGroup) * a_row);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = V::fma(av, bv[j], acc[i][j]);
    }
#pragma GCC unroll 10
    for (int q = 0; q < kPointers; ++q) rows[q] += a_col;
    b += b_row;
  };
  for (std::int64_t group = g.run_groups; group > 0; --group) {
    for (std::int64_t run = g.runs; run > 0; --run) {
      std::int64_t k = g.k;
      if constexpr (kPrefetch > 1) {
        for (; k >= kPrefetch; k -= kPrefetch) {
          __builtin_prefetch(next, 0, 2);
          next += next_step;
#pragma GCC unroll 1  // unrolled, GCC spills accumulators
          for (int i = 0; i < kPrefetch; ++i) {
            link();
            asm volatile("");
          }
        }
      }
      for (; k > 0; --k) {
        link();
        if constexpr (kPrefetch == 1) {
          __builtin_prefetch(next, 0, 2);
          next += next_step;
        }
      }
#pragma GCC unroll 10
      for (int q = 0; q < kPointers; ++q) rows[q] += a_jump;
      b += b_jump;
    }
#pragma GCC unroll 10
    for (int q = 0; q < kPointers; ++q) rows[q] += g.a_run_group - g.runs * g.a_run;
    b += g.b_run_group - g.runs * g.b_run;
  }
  if (add != nullptr) {
#pragma GCC unroll 28
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) {
        const float* from = add + c_row(i) + j * V::kWidth;
        acc[i][j] = V::add(acc[i][j], j + 1 < NV ? V::load(from) : load_last<V>(from, last));
      }
    }
  }
  if (g.relu || g.relu6) {
#pragma GCC unroll 28
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = V::relu(acc[i][j]);
    }
  }
  if (g.relu6) {
    static constexpr float kSix = 6.0f;
#pragma GCC unroll 28
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = V::least(acc[i][j], &kSix);
    }
  }
#pragma GCC unroll 28
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      float* to = c + c_row(i) + j * V::kWidth;
      if (j + 1 < NV) {
        V::store(to, acc[i][j]);
      } else {
        store_last<V>(to, acc[i][j], last);
      }
    }
  }
}

// Columns [column, column + width), width <= NV vectors: tiles of nearly equal height from top to
// bottom.
template <class V, int NV, Rows kRows, class M, int... kHeights>
void gemm_columns(const GemmF32Args& g, std::int64_t column, M last, NextLines& next,
                  std::integer_sequence<int, kHeights...>) {
  using Tile = void (*)(const GemmF32Args&, const float*, const float*, const float*, const float*,
                        float*, std::int64_t, M, const float*);
  static constexpr Tile kTiles[] = {gemm_tile<V, M, NV, kHeights + 1, kRows>...};
  constexpr std::int64_t kMaxRows = sizeof...(kHeights);
  std::int64_t tiles = (g.m + kMaxRows - 1) / kMaxRows;
  for (std::int64_t i = 0; i < g.m; --tiles) {
    const std::int64_t rows = tiles == 1 ? g.m - i : (g.m - i + tiles - 1) / tiles;
    const std::int64_t at = kRows == Rows::kListed ? 0 : i;  // lists have the rows' offsets
    const float* init = g.init == nullptr ? nullptr : g.init + at * g.init_row + column;
    const float* add = g.add == nullptr ? nullptr : g.add + at * g.c_row + column;
    constexpr int kLinks = links_per_prefetch<V, NV, kMaxRows>();
    kTiles[rows - 1](g, g.a + at * g.a_row, g.b + column, init, add, g.c + at * g.c_row + column, i,
                     last, next.take(g.run_groups * g.runs * (g.k / (kLinks > 1 ? kLinks : 1))));
    i += rows;
  }
}

template <class V, int NV, Rows kRows>
void gemm_columns(const GemmF32Args& g, std::int64_t column, std::int64_t width, NextLines& next) {
  if constexpr (NV <= V::kMaxVectors) {
    // Each listed row takes a register for its address.
    constexpr int kMostListed = 6, kMost = V::max_rows(NV, kRows == Rows::kUnit);
    constexpr int kHeight = kRows == Rows::kListed && kMost > kMostListed ? kMostListed : kMost;
    constexpr std::make_integer_sequence<int, kHeight> kHeights;
    if constexpr (V::kMasksCost) {
      if (width == NV * V::kWidth) {
        gemm_columns<V, NV, kRows>(g, column, WholeVector(), next, kHeights);
        return;
      }
    }
    const typename V::Mask last = V::mask(width - (NV - 1) * V::kWidth);
    gemm_columns<V, NV, kRows>(g, column, last, next, kHeights);
  }
}

template <class V, Rows kRows>
void gemm_blocks(const GemmF32Args& g) {
  using Narrow = typename V::Narrow;
  constexpr std::int64_t kBlock = V::kMaxVectors * V::kWidth;
  NextLines next(g);
  for (std::int64_t column = 0; column < g.n; column += kBlock) {
    const std::int64_t width = g.n - column < kBlock ? g.n - column : kBlock;
    if (width <= Narrow::kWidth) {
      gemm_columns<Narrow, 1, kRows>(g, column, width, next);
      continue;
    }
    switch ((width + V::kWidth - 1) / V::kWidth) {
      case 1:
        gemm_columns<V, 1, kRows>(g, column, width, next);
        break;
      case 2:
        gemm_columns<V, 2, kRows>(g, column, width, next);
        break;
      case 3:
        gemm_columns<V, 3, kRows>(g, column, width, next);
        break;
      default:
        gemm_columns<V, 4, kRows>(g, column, width, next);
        break;
    }
  }
}

// The rows of several groups in one tile: the 5 x 5 taps of a map with one channel, whose five rows
// alone are too few chains. Returns how many groups it has done.
template <class V>
std::int64_t gemm_taps_5x5(const GemmF32Args& args) {
  using Narrow = typename V::Narrow;
  constexpr int kGroups = Narrow::max_rows(1, true) / 5;
  std::int64_t done = 0;
  if constexpr (kGroups > 1) {
    if (args.m != 5 || args.a_row != 1 || args.n > Narrow::kWidth) return 0;
    for (; done + kGroups <= args.row_groups; done += kGroups) {
      const std::ptrdiff_t row = done * args.m;
      gemm_tile<Narrow, typename Narrow::Mask, 1, 5 * kGroups, Rows::kUnit, 5>(
          args, args.a + done * args.a_group, args.b,
          args.init == nullptr ? nullptr : args.init + row * args.init_row,
          args.add == nullptr ? nullptr : args.add + row * args.c_row, args.c + row * args.c_row, 0,
          Narrow::mask(args.n), nullptr);
    }
  }
  return done;
}

template <class V>
void gemm(const GemmF32Args& args) {
  if (args.a_rows != nullptr) {
    gemm_blocks<V, Rows::kListed>(args);
    return;
  }
  const auto multiply =
      args.a_row == 1 ? gemm_blocks<V, Rows::kUnit> : gemm_blocks<V, Rows::kStrided>;
  if (args.row_groups == 1) {  // small products are many: no copy of what describes them
    multiply(args);
    return;
  }
  for (std::int64_t group = gemm_taps_5x5<V>(args); group < args.row_groups; ++group) {
    GemmF32Args g = args;
    g.a += group * g.a_group;
    g.c += group * g.m * g.c_row;
    if (g.init != nullptr) g.init += group * g.m * g.init_row;
    if (g.add != nullptr) g.add += group * g.m * g.c_row;
    multiply(g);
  }
}

template <class V>
void relu_backward(std::int64_t rows, std::int64_t columns, std::ptrdiff_t stride, const float* y,
                   const float* dy, float* masked) {
  if (columns == stride) {  // one long row
    columns *= rows;
    rows = 1;
  }
  for (; rows > 0; --rows, y += stride, dy += stride, masked += columns) {
    std::int64_t i = 0;
    for (; i + V::kWidth <= columns; i += V::kWidth) {
      V::store(masked + i, V::where_positive(V::load(y + i), V::load(dy + i)));
    }
    if (i == columns) continue;
    const typename V::Mask rest = V::mask(columns - i);
    V::store(masked + i, V::where_positive(V::load(y + i, rest), V::load(dy + i, rest)), rest);
  }
}

}  // namespace
}  // namespace octet::kernels
