#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/f32/winners.h"

// The kernels of winners.h, written once over a vector type (gemm_tile.h, halve_rows.h); included
// by one file per instruction set. Beside theirs, the type has
//   both(v, w) nonzero(r)     conditions
//   half(cells)               each divided by 2
//   sum(c, d) if_odd(c, k)    of Cells; k where a cell is odd, else 0
//   load_ints(p) store_ints(p, c)   a vector of Cells as std::int32_t
//   append(w, g, places, gradients, to)   writes g and places of the lanes in w, side by side;
//                             returns how many. It may write a whole vector.
//   transpose(r) transpose(c)       kWidth of them; in Narrow
//   kSpreadSums               vectors of sums that leave registers for what shifts them
//   Order shift(n), shifted(a, b, order)   lanes n and up of a, then the first n of b; n <= kWidth
namespace octet::kernels {
namespace {

// The gradients of `n` windows or channels from element `i` of a row, and their cells. The lanes
// behind the last one are zero.
template <class V>
struct RowVector {
  typename V::Reg gradient;
  typename V::Cells cells;

  RowVector() : gradient(V::zero()), cells(V::cells(0)) {}
  RowVector(const WinnerRow& row, std::int64_t i, std::int64_t n) {
    if (n == V::kWidth) {
      read(row, i, n, [](const float* p) { return V::load(p); });
    } else {
      const typename V::Mask rest = V::mask(n);
      read(row, i, n, [&](const float* p) { return V::load(p, rest); });
    }
  }

 private:
  template <class Load>
  void read(const WinnerRow& row, std::int64_t i, std::int64_t n, const Load& load) {
    gradient = load(row.dy + i);
    if (row.y != nullptr) gradient = V::where_positive(load(row.y + i), gradient);
    cells = V::load_cells(row.cells + i, n);
  }
};

// Calls body(c, n) for channels [c, c + n), n <= kWidth.
template <class V, class Body>
void for_each_vector(std::int64_t channels, const Body& body) {
  std::int64_t c = 0;
  for (; c + V::kWidth <= channels; c += V::kWidth) body(c, V::kWidth);
  if (c < channels) body(c, channels - c);
}

template <class V>
std::int64_t winner_places(const WinnerPlacesArgs& args, float* gradients, std::uint32_t* places) {
  const WinnerRow& row = args.row;
  std::int64_t count = 0;
  for (std::int64_t window = 0; window < row.windows; ++window) {
    for (int column = 0; column < 2; ++column) {
      for_each_vector<V>(row.channels, [&](std::int64_t c, std::int64_t n) {
        const std::int64_t i = window * row.channels + c;
        const RowVector<V> v(row, i, n);
        const typename V::Wins won =
            V::both(V::equal(v.cells, row.cell + column), V::nonzero(v.gradient));
        const auto* from = reinterpret_cast<const std::int32_t*>(args.places + i);
        const auto at = V::sum(V::load_ints(from), V::cells(column));
        count += V::append(won, v.gradient, at, gradients + count,
                           reinterpret_cast<std::int32_t*>(places + count));
      });
    }
  }
  return count;
}

// The gradients and cells of channels [c, c + n), window after window: one plane of `stride`
// windows for each channel, first those of the gradients.
template <class V>
void write_planes(const WinnerRow& row, std::int64_t c, std::int64_t n, std::int64_t stride,
                  float* planes) {
  for (std::int64_t window = 0; window < row.windows; window += V::kWidth) {
    typename V::Reg gradients[V::kWidth];
    typename V::Cells cells[V::kWidth];
#pragma GCC unroll 8
    for (int i = 0; i < V::kWidth; ++i) {
      const RowVector<V> v = window + i < row.windows
                                 ? RowVector<V>(row, (window + i) * row.channels + c, n)
                                 : RowVector<V>();
      gradients[i] = v.gradient;
      cells[i] = v.cells;
    }
    V::transpose(gradients);
    V::transpose(cells);
#pragma GCC unroll 8
    for (int i = 0; i < V::kWidth; ++i) {
      V::store(planes + i * stride + window, gradients[i]);
      V::store_ints(reinterpret_cast<std::int32_t*>(planes) + (V::kWidth + i) * stride + window,
                    cells[i]);
    }
  }
}

template <class V>
void winner_lists(const WinnerListsArgs& of) {
  const WinnerListsArgs args = of;  // nothing that is stored may change it
  const WinnerRow& row = args.row;
  const std::int64_t stride = (row.windows + V::kWidth - 1) / V::kWidth * V::kWidth;
  for_each_vector<V>(row.channels, [&](std::int64_t c, std::int64_t n) {
    write_planes<V>(row, c, n, stride, args.planes);
    for (std::int64_t i = 0; i < n; ++i) {
      const float* gradients = args.planes + i * stride;
      const auto* cells =
          reinterpret_cast<const std::int32_t*>(args.planes) + (V::kWidth + i) * stride;
      std::int64_t end = args.ends[c + i];
      for (std::int64_t below = 0; below < args.rows; ++below) {
        const int half = row.cell / 2 + static_cast<int>(below);
        const auto first = V::cells(args.first + static_cast<std::int32_t>(below) * args.line);
        for (std::int64_t window = 0; window < stride; window += V::kWidth) {
          const typename V::Reg g = V::load(gradients + window);
          const typename V::Cells cell = V::load_ints(cells + window);
          const typename V::Wins won = V::both(V::equal(V::half(cell), half), V::nonzero(g));
          const auto at = V::sum(V::sum(V::load_ints(args.offsets + window), first),
                                 V::if_odd(cell, args.step));
          end += V::append(won, g, at, args.gradients + end, args.list_offsets + end);
        }
      }
      args.ends[c + i] = static_cast<std::int32_t>(end);
    }
  });
}

template <class V, int kChains>
void winner_bias_channels(const WinnerBiasArgs& args, std::int64_t c, std::int64_t n) {
  const WinnerRow row = args.row;  // nothing that is stored may change it
  const typename V::Mask mask = V::mask(n);
  float* sums[kChains];  // of the first pixel's chain, and the following ones
  typename V::Reg acc[kChains];
#pragma GCC unroll 4
  for (int i = 0; i < kChains; ++i) {
    sums[i] = args.sums + ((args.first_pixel + i) & (kChains - 1)) * row.channels + c;
    acc[i] = V::load(sums[i], mask);
  }
  const auto add = [&](std::int64_t window, typename V::Reg& left, typename V::Reg& right) {
    const RowVector<V> v(row, window * row.channels + c, n);
    left = V::add(left, V::select(V::equal(v.cells, row.cell), v.gradient, V::zero()));
    right = V::add(right, V::select(V::equal(v.cells, row.cell + 1), v.gradient, V::zero()));
  };
  std::int64_t window = 0;
  for (; window + 2 <= row.windows; window += 2) {
    add(window, acc[0], acc[1 % kChains]);
    add(window + 1, acc[2 % kChains], acc[3 % kChains]);
  }
  if (window < row.windows) add(window, acc[0], acc[1 % kChains]);
#pragma GCC unroll 4
  for (int i = 0; i < kChains; ++i) V::store(sums[i], acc[i], mask);
}

template <class V>
void winner_bias(const WinnerBiasArgs& args) {
  if (args.row.channels <= V::Narrow::kWidth && V::Narrow::kWidth < V::kWidth) {
    winner_bias<typename V::Narrow>(args);
    return;
  }
  for_each_vector<V>(args.row.channels, [&](std::int64_t c, std::int64_t n) {
    if (args.chains == 4) return winner_bias_channels<V, 4>(args, c, n);
    winner_bias_channels<V, 1>(args, c, n);
  });
}

// R rows of NV vectors of sums stay in registers.
template <class V, int NV, int R>
void winner_sums_tile(const WinnerSumsArgs& args, std::int64_t channel, std::int64_t row) {
  typename V::Reg acc[R][NV];
  float* sums = args.sums + (channel * args.rows + row) * NV * V::kWidth;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 12
    for (int v = 0; v < NV; ++v) acc[r][v] = V::load(sums + (r * NV + v) * V::kWidth);
  }
  const float* x = args.x + row * args.line;
  for (std::int64_t i = channel * args.room; i < args.ends[channel]; ++i) {
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

// Calls run(R, row) for tiles of R rows, of nearly equal height, with at most kSums vectors of
// sums, NV a row.
template <int NV, int kSums, class Run>
void in_tiles(std::int64_t rows, const Run& run) {
  constexpr int kMost = kSums / NV, kMaxRows = kMost < 1 ? 1 : kMost > 6 ? 6 : kMost;
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
  in_tiles<NV, 12>(args.rows, [&]<int R>(std::integral_constant<int, R>, std::int64_t row) {
    for (std::int64_t channel = 0; channel < args.channels; ++channel) {
      winner_sums_tile<V, NV, R>(args, channel, row);
    }
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
        in_tiles<NV, V::kSpreadSums>(args.rows,
                                     [&]<int R>(std::integral_constant<int, R>, std::int64_t row) {
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
