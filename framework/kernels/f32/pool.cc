#include "kernels/f32/pool.h"

#include <algorithm>
#include <cstring>

namespace octet::kernels {
namespace {

// Four floats or integers at once: baseline SIMD (SSE, NEON) by the vector extension of GCC and
// Clang.
using F32x4 = float __attribute__((vector_size(16)));
using I32x4 = std::int32_t __attribute__((vector_size(16)));
using U8x16 = std::uint8_t __attribute__((vector_size(16)));

F32x4 load4(const float* from) {
  F32x4 v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

// The largest of each window, and (where `winners` is not null) its cell ky * kw + kx, for four
// channels.  A NaN wins, as in PyTorch.
//   x: the image at the first of the channels
void max_of_window4(const float* x, const PoolShape& s, const PoolCells& cells, float* y,
                    std::uint8_t* winner) {
  const auto at = [&](std::int64_t ky, std::int64_t kx) {
    return load4(x + ((cells.y + ky) * s.w + cells.x + kx) * s.c);
  };
  F32x4 best = at(cells.ky_begin, cells.kx_begin);
  const auto first = static_cast<std::int32_t>(cells.ky_begin * s.kw + cells.kx_begin);
  I32x4 best_cell = {first, first, first, first};
  for (std::int64_t ky = cells.ky_begin; ky < cells.ky_end; ++ky) {
    for (std::int64_t kx = cells.kx_begin; kx < cells.kx_end; ++kx) {
      const F32x4 v = at(ky, kx);
      const auto k = static_cast<std::int32_t>(ky * s.kw + kx);
      const I32x4 wins = (v > best) | (v != v);
      best = wins ? v : best;
      best_cell = wins ? I32x4{k, k, k, k} : best_cell;
    }
  }
  std::memcpy(y, &best, sizeof(best));
  if (winner == nullptr) return;
  U8x16 bytes;  // the lowest of each lane come first: much faster than __builtin_convertvector
  std::memcpy(&bytes, &best_cell, sizeof(bytes));
  bytes = __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
  std::memcpy(winner, &bytes, 4);
}

// The same for one channel.
void max_of_window1(const float* x, const PoolShape& s, const PoolCells& cells, float* y,
                    std::uint8_t* winner) {
  float best = x[((cells.y + cells.ky_begin) * s.w + cells.x + cells.kx_begin) * s.c];
  std::int64_t best_cell = cells.ky_begin * s.kw + cells.kx_begin;
  for (std::int64_t ky = cells.ky_begin; ky < cells.ky_end; ++ky) {
    for (std::int64_t kx = cells.kx_begin; kx < cells.kx_end; ++kx) {
      const float v = x[((cells.y + ky) * s.w + cells.x + kx) * s.c];
      const bool wins = (v > best) | (v != v);
      best = wins ? v : best;
      best_cell = wins ? ky * s.kw + kx : best_cell;
    }
  }
  *y = best;
  if (winner != nullptr) *winner = static_cast<std::uint8_t>(best_cell);
}

}  // namespace

PoolCells pool_cells(const PoolShape& s, std::int64_t oy, std::int64_t ox) {
  const std::int64_t y = oy * s.stride - s.padding, x = ox * s.stride - s.padding;
  return {.y = y,
          .x = x,
          .ky_begin = std::max<std::int64_t>(0, -y),
          .ky_end = std::min(s.kh, s.h - y),
          .kx_begin = std::max<std::int64_t>(0, -x),
          .kx_end = std::min(s.kw, s.w - x)};
}

void max_pool_row(const F32Kernels& kernels, const PoolShape& s, std::int64_t oy,
                  const float* image, float* y, std::uint8_t* winners) {
  if (s.halves()) {
    kernels.halve(1, s.w, s.c, image + 2 * oy * s.w * s.c, y, winners);
    return;
  }
  for (std::int64_t ox = 0; ox < s.ow; ++ox) {
    const PoolCells cells = pool_cells(s, oy, ox);
    const auto run = [&](auto* max_of_window, std::int64_t c) {
      max_of_window(image + c, s, cells, y + ox * s.c + c,
                    winners != nullptr ? winners + ox * s.c + c : nullptr);
    };
    if (s.c < 4) {
      for (std::int64_t c = 0; c < s.c; ++c) run(max_of_window1, c);
    } else {  // the last four channels may overlap those before: they give the same results again
      for (std::int64_t c = 0; c < s.c; c += 4) run(max_of_window4, std::min(c, s.c - 4));
    }
  }
}

void avg_pool_row(const PoolShape& s, std::int64_t oy, const float* image, float* y) {
  const auto area = static_cast<float>(s.kh * s.kw);
  for (std::int64_t ox = 0; ox < s.ow; ++ox) {
    const PoolCells cells = pool_cells(s, oy, ox);
    float* __restrict mean = y + ox * s.c;
    std::fill_n(mean, s.c, 0.0f);
    for (std::int64_t ky = cells.ky_begin; ky < cells.ky_end; ++ky) {
      for (std::int64_t kx = cells.kx_begin; kx < cells.kx_end; ++kx) {
        const float* from = image + ((cells.y + ky) * s.w + cells.x + kx) * s.c;
        for (std::int64_t c = 0; c < s.c; ++c) mean[c] += from[c];
      }
    }
    for (std::int64_t c = 0; c < s.c; ++c) mean[c] /= area;
  }
}

}  // namespace octet::kernels
