#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/f32/winners.h"

// The kernels of winners.h, written once over a vector type (gemm_tile.h, halve_rows.h); included
// by one file per instruction set. Beside theirs, the type has
//   half(cells)               each divided by 2
//   both(v, w) nonzero(r)     conditions
//   Order shift(n), shifted(a, b, order)   lanes n and up of a, then the first n of b; n <= kWidth
//   append(w, g, cells, places, gradients, to)   writes g and places + cells % 2 of the lanes in w,
//                             side by side; returns how many. It may write a whole vector.
namespace octet::kernels {
namespace {

template <class V>
struct WinnerList {
  const WinnerRowArgs& args;
  float* gradients;
  std::uint32_t* places;
  std::int64_t count = 0;

  // Adds those of [i, i + n), n <= kWidth, that are in a cell of the row, or in `cell` of it.
  template <bool kOneCell>
  void add(std::int64_t i, std::int64_t n, int cell) {
    if (n == V::kWidth) {
      add<kOneCell>(i, n, cell, [](const float* p) { return V::load(p); });
    } else {  // the lanes behind the last one are zero
      const typename V::Mask rest = V::mask(n);
      add<kOneCell>(i, n, cell, [&](const float* p) { return V::load(p, rest); });
    }
  }

 private:
  template <bool kOneCell, class Load>
  void add(std::int64_t i, std::int64_t n, int cell, const Load& load) {
    typename V::Reg g = load(args.dy + i);
    if (args.y != nullptr) g = V::where_positive(load(args.y + i), g);
    const typename V::Cells cells = V::load_cells(args.cells + i, n);
    const typename V::Wins won =
        kOneCell ? V::equal(cells, cell) : V::equal(V::half(cells), cell / 2);
    count += V::append(V::both(won, V::nonzero(g)), g, cells, args.places + i, gradients + count,
                       places + count);
  }
};

template <class V>
std::int64_t winner_row(const WinnerRowArgs& args, float* gradients, std::uint32_t* places) {
  WinnerList<V> list{args, gradients, places};
  const auto in_vectors = [&](std::int64_t begin, std::int64_t end, auto add) {
    std::int64_t i = begin;
    for (; i + V::kWidth <= end; i += V::kWidth) add(i, V::kWidth);
    if (i < end) add(i, end - i);
  };
  const std::int64_t channels = args.channels;
  if (!args.by_columns) {
    in_vectors(0, args.windows * channels,
               [&](std::int64_t i, std::int64_t n) { list.template add<false>(i, n, args.cell); });
    return list.count;
  }
  for (std::int64_t window = 0; window < args.windows; ++window) {
    for (int cell = args.cell; cell < args.cell + 2; ++cell) {
      in_vectors(window * channels, (window + 1) * channels,
                 [&](std::int64_t i, std::int64_t n) { list.template add<true>(i, n, cell); });
    }
  }
  return list.count;
}

// R rows of NV vectors of sums stay in registers.
template <class V, int NV, int R>
void winner_sums_tile(const WinnerSumsArgs& args, std::int64_t row) {
  typename V::Reg acc[R][NV];
  float* sums = args.sums + row * NV * V::kWidth;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < NV; ++v) acc[r][v] = V::load(sums + (r * NV + v) * V::kWidth);
  }
  const float* x = args.x + row * args.line;
  for (std::int64_t i = 0; i < args.count; ++i) {
    const typename V::Reg g = V::broadcast(args.gradients + i);
    const float* from = x + args.offsets[i];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
      for (int v = 0; v < NV; ++v) {
        acc[r][v] = V::fma(g, V::load(from + r * args.line + v * V::kWidth), acc[r][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < NV; ++v) V::store(sums + (r * NV + v) * V::kWidth, acc[r][v]);
  }
}

// Calls run(R, row) for tiles of R rows, of nearly equal height, whose NV vectors each fit in
// registers.
template <int NV, class Run>
void in_tiles(std::int64_t rows, const Run& run) {
  constexpr int kMaxRows = NV >= 12 ? 1 : NV == 1 ? 6 : 12 / NV;
  std::int64_t tiles = (rows + kMaxRows - 1) / kMaxRows;
  for (std::int64_t row = 0; row < rows; --tiles) {
    const std::int64_t height = (rows - row + tiles - 1) / tiles;
    const auto call = [&]<int R>(std::integral_constant<int, R> r) {
      if constexpr (R <= kMaxRows) run(r, row);
    };
    switch (height) {
      case 1:
        call(std::integral_constant<int, 1>());
        break;
      case 2:
        call(std::integral_constant<int, 2>());
        break;
      case 3:
        call(std::integral_constant<int, 3>());
        break;
      case 4:
        call(std::integral_constant<int, 4>());
        break;
      case 5:
        call(std::integral_constant<int, 5>());
        break;
      default:
        call(std::integral_constant<int, 6>());
        break;
    }
    row += height;
  }
}

template <class V, int NV>
void winner_sums_columns(const WinnerSumsArgs& args) {
  in_tiles<NV>(args.rows, [&]<int R>(std::integral_constant<int, R>, std::int64_t row) {
    winner_sums_tile<V, NV, R>(args, row);
  });
}

// The definition, and what is left where a step is wider than a vector.
template <class V, int NV>
void winner_spread_one_by_one(const WinnerSpreadArgs& args) {
  for (std::int64_t i = 0; i < args.count; ++i) {
    const typename V::Reg g = V::broadcast(args.gradients + i);
    const std::uint32_t place = args.places[i];
    const float* weight = args.weight + place / kPlaceColumns * args.rows * NV * V::kWidth;
    float* to = args.dx + place % kPlaceColumns * args.step;
    for (std::int64_t r = 0; r < args.rows; ++r, weight += NV * V::kWidth, to += args.line) {
      typename V::Reg sum[NV];
#pragma GCC unroll 12
      for (int v = 0; v < NV; ++v) {
        sum[v] = V::fma(g, V::load(weight + v * V::kWidth), V::load(to + v * V::kWidth));
      }
#pragma GCC unroll 12
      for (int v = 0; v < NV; ++v) V::store(to + v * V::kWidth, sum[v]);
    }
  }
}

// R lines of NV vectors of sums stay in registers, which move along the lines from column to
// column: from memory a column would wait for what the one before has just stored, in other places.
template <class V, int NV, int R>
void winner_spread_tile(const WinnerSpreadArgs& args, std::int64_t row) {
  const typename V::Mask left_behind = V::mask(args.step);
  const typename V::Order order = V::shift(static_cast<int>(args.step));
  std::int64_t column = args.places[0] % kPlaceColumns;
  float* dx = args.dx + row * args.line + column * args.step;
  typename V::Reg acc[R][NV];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < NV; ++v) acc[r][v] = V::load(dx + r * args.line + v * V::kWidth);
  }
  for (std::int64_t i = 0; i < args.count; ++i) {
    const std::uint32_t place = args.places[i];
    for (; column < place % kPlaceColumns; ++column, dx += args.step) {
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        float* line = dx + r * args.line;
        const typename V::Reg behind = V::load(line + NV * V::kWidth);
        V::store(line, acc[r][0], left_behind);
#pragma GCC unroll 12
        for (int v = 0; v < NV; ++v) {
          acc[r][v] = V::shifted(acc[r][v], v + 1 < NV ? acc[r][v + 1] : behind, order);
        }
      }
    }
    const typename V::Reg g = V::broadcast(args.gradients + i);
    const float* weight = args.weight + (place / kPlaceColumns * args.rows + row) * NV * V::kWidth;
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
      for (int v = 0; v < NV; ++v) {
        acc[r][v] = V::fma(g, V::load(weight + (r * NV + v) * V::kWidth), acc[r][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < NV; ++v) V::store(dx + r * args.line + v * V::kWidth, acc[r][v]);
  }
}

template <class V, int NV>
void winner_spread_columns(const WinnerSpreadArgs& args) {
  if constexpr (V::kWidth > 1) {
    if (args.step <= V::kWidth) {
      if (args.count > 0) {
        in_tiles<NV>(args.rows, [&]<int R>(std::integral_constant<int, R>, std::int64_t row) {
          winner_spread_tile<V, NV, R>(args, row);
        });
      }
      return;
    }
  }
  winner_spread_one_by_one<V, NV>(args);
}

template <class V>
void winner_sums(const WinnerSumsArgs& args) {
  using Narrow = typename V::Narrow;
  if (args.columns == 8) return winner_sums_columns<Narrow, 8 / Narrow::kWidth>(args);
  if (args.columns == 16) return winner_sums_columns<V, 16 / V::kWidth>(args);
  winner_sums_columns<V, 32 / V::kWidth>(args);
}

template <class V>
void winner_spread(const WinnerSpreadArgs& args) {
  using Narrow = typename V::Narrow;
  if (args.columns == 8) return winner_spread_columns<Narrow, 8 / Narrow::kWidth>(args);
  if (args.columns == 16) return winner_spread_columns<V, 16 / V::kWidth>(args);
  winner_spread_columns<V, 32 / V::kWidth>(args);
}

}  // namespace
}  // namespace octet::kernels
