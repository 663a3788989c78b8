#pragma once

#include <cstdint>

// Max-pool of 2x2 windows and its gradient, written once over a vector type (gemm_tile.h); included
// by one file per instruction set. Beside the product's, the type has
//   Wins                      a lane-wise condition
//   larger(v, best)           v > best, or v is NaN
//   select(w, a, b)           a where w, else b, for Reg and for Cells
//   Cells                     an integer in each lane: cells(k) all k, equal(cells, k) a condition
//   load_cells(p, n) store_cells(p, cells, n)   n bytes, one for each of the first n lanes
namespace octet::kernels {
namespace {

template <class V>
void halve_channels(std::int64_t width, std::int64_t channels, std::int64_t count, const float* x,
                    float* y, std::uint8_t* cells) {
  const typename V::Mask mask = V::mask(count);
  const float* below = x + width * channels;
  for (std::int64_t window = 0; window < width / 2; ++window) {
    const float* from[4] = {x, x + channels, below, below + channels};
    typename V::Reg best = V::load(from[0], mask);
    typename V::Cells cell = V::cells(0);
#pragma GCC unroll 3
    for (int k = 1; k < 4; ++k) {
      const typename V::Reg v = V::load(from[k], mask);
      const typename V::Wins wins = V::larger(v, best);
      best = V::select(wins, v, best);
      cell = V::select(wins, V::cells(k), cell);
    }
    V::store(y, best, mask);
    if (cells != nullptr) {
      V::store_cells(cells, cell, count);
      cells += channels;
    }
    x += 2 * channels;
    below += 2 * channels;
    y += channels;
  }
}

template <class V>
void halve(std::int64_t rows, std::int64_t width, std::int64_t channels, const float* x, float* y,
           std::uint8_t* cells) {
  if (channels <= V::Narrow::kWidth && V::Narrow::kWidth < V::kWidth) {
    halve<typename V::Narrow>(rows, width, channels, x, y, cells);
    return;
  }
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; c += V::kWidth) {
      const std::int64_t left = channels - c, count = left < V::kWidth ? left : V::kWidth;
      halve_channels<V>(width, channels, count, x + c, y + c,
                        cells == nullptr ? nullptr : cells + c);
    }
    x += 2 * width * channels;
    y += width / 2 * channels;
    if (cells != nullptr) cells += width / 2 * channels;
  }
}

template <class V>
void halve_backward(std::int64_t width, std::int64_t channels, int cell, const float* dy,
                    const float* y, const std::uint8_t* cells, float* dx) {
  if (channels <= V::Narrow::kWidth && V::Narrow::kWidth < V::kWidth) {
    halve_backward<typename V::Narrow>(width, channels, cell, dy, y, cells, dx);
    return;
  }
  for (std::int64_t c = 0; c < channels; c += V::kWidth) {
    const std::int64_t left = channels - c, count = left < V::kWidth ? left : V::kWidth;
    const typename V::Mask mask = V::mask(count);
    float* to = dx + c;
    for (std::int64_t window = 0; window < width / 2; ++window, to += 2 * channels) {
      const std::int64_t at = window * channels + c;
      typename V::Reg gradient = V::load(dy + at, mask);
      if (y != nullptr) gradient = V::where_positive(V::load(y + at, mask), gradient);
      const typename V::Cells winner = V::load_cells(cells + at, count);
      V::store(to, V::select(V::equal(winner, cell), gradient, V::zero()), mask);
      V::store(to + channels, V::select(V::equal(winner, cell + 1), gradient, V::zero()), mask);
    }
    if (width % 2 != 0) V::store(to, V::zero(), mask);
  }
}

}  // namespace
}  // namespace octet::kernels
