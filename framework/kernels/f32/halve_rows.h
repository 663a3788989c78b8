#pragma once

#include <cstdint>

// Max-pool of 2x2 windows and its gradient, written once over a vector type (gemm_tile.h); included
// by one file per instruction set. Beside the product's, the type has
//   Wins                      a lane-wise condition
//   larger(v, best)           v > best, or v is NaN
//   select(w, a, b)           a where w, else b, for Reg and for Cells
//   Cells                     an integer in each lane: cells(k) all k, equal(cells, k) a condition
//   load_cells(p, n) store_cells(p, cells, n)   n bytes, one for each of the first n lanes
//   evens(a, b) odds(a, b)    of Narrow: every second lane of a, then of b
//   transpose(r) transpose(c) of Narrow: kWidth of them
namespace octet::kernels {
namespace {

// The window's largest value goes on from cell 0's.
template <class V>
struct Largest {
  typename V::Reg value;
  typename V::Cells cell = V::cells(0);

  void compare(typename V::Reg v, int k) {
    const typename V::Wins wins = V::larger(v, value);
    value = V::select(wins, v, value);
    cell = V::select(wins, V::cells(k), cell);
  }
};

template <class V>
void halve_channels(std::int64_t width, std::int64_t channels, std::int64_t count, const float* x,
                    float* y, std::uint8_t* cells) {
  const typename V::Mask mask = V::mask(count);
  const float* below = x + width * channels;
  for (std::int64_t window = 0; window < width / 2; ++window) {
    const float* from[4] = {x, x + channels, below, below + channels};
    Largest<V> largest = {V::load(from[0], mask)};
#pragma GCC unroll 3
    for (int k = 1; k < 4; ++k) largest.compare(V::load(from[k], mask), k);
    V::store(y, largest.value, mask);
    if (cells != nullptr) {
      V::store_cells(cells, largest.cell, count);
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

// Windows of one channel in the lanes, kWidth of them or what `pixels` pixels of two rows make.
template <class V>
Largest<V> halve_plane(const float* upper, const float* lower, std::int64_t pixels) {
  typename V::Reg left[2], right[2];
  const float* from[2] = {upper, lower};
#pragma GCC unroll 2
  for (int row = 0; row < 2; ++row) {
    typename V::Reg first, second;
    if (pixels >= 2 * V::kWidth) {
      first = V::load(from[row]);
      second = V::load(from[row] + V::kWidth);
    } else {
      const std::int64_t n = pixels < V::kWidth ? pixels : V::kWidth;
      first = V::load(from[row], V::mask(n));
      second = n < pixels ? V::load(from[row] + n, V::mask(pixels - n)) : V::zero();
    }
    left[row] = V::evens(first, second);
    right[row] = V::odds(first, second);
  }
  Largest<V> largest = {left[0]};
  largest.compare(right[0], 1);
  largest.compare(left[1], 2);
  largest.compare(right[1], 3);
  return largest;
}

template <class V>
void halve_planes(std::int64_t rows, std::int64_t width, std::int64_t channels, const float* x,
                  float* y, std::uint8_t* cells) {
  const std::int64_t windows = width / 2;
  for (std::int64_t row = 0; row < rows; ++row, x += 2 * channels * width) {
    for (std::int64_t window = 0; window < windows; window += V::kWidth) {
      const std::int64_t left = windows - window, count = left < V::kWidth ? left : V::kWidth;
      for (std::int64_t c = 0; c < channels; c += V::kWidth) {
        const std::int64_t n = channels - c < V::kWidth ? channels - c : V::kWidth;
        typename V::Reg values[V::kWidth];
        typename V::Cells numbers[V::kWidth];
#pragma GCC unroll 8
        for (int i = 0; i < V::kWidth; ++i) {
          const float* upper = x + (c + (i < n ? i : 0)) * width + 2 * window;
          const Largest<V> largest = halve_plane<V>(upper, upper + channels * width, 2 * left);
          values[i] = largest.value;
          numbers[i] = largest.cell;
        }
        V::transpose(values);
        V::transpose(numbers);
#pragma GCC unroll 8
        for (int i = 0; i < V::kWidth; ++i) {
          if (i >= count) break;
          V::store(y + (window + i) * channels + c, values[i], V::mask(n));
          if (cells == nullptr) continue;
          V::store_cells(cells + (window + i) * channels + c, numbers[i], n);
        }
      }
    }
    y += windows * channels;
    if (cells != nullptr) cells += windows * channels;
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
