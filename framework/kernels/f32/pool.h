#pragma once

#include <cstdint>

#include "kernels/f32/kernels.h"

// Max-pool and average pool of float maps, a row of windows at a time, for any instruction set: the
// results are the same.
namespace octet::kernels {

// The extents of a pooling: input [h, w, c], output [oh, ow, c], for each of n images; and its
// windows [kh, kw].
struct PoolShape {
  std::int64_t n = 1, h = 1, w = 1, c = 1, oh = 1, ow = 1;
  std::int64_t kh = 1, kw = 1, stride = 1, padding = 0;

  // Windows of 2x2 with stride 2, of LeNet and of most networks, have kernels of their own.
  constexpr bool halves() const { return kh == 2 && kw == 2 && stride == 2 && padding == 0; }
};

// The part of a window that lies inside the map, in window coordinates; (y, x) is where its first
// cell would be.
struct PoolCells {
  std::int64_t y, x, ky_begin, ky_end, kx_begin, kx_end;
};
PoolCells pool_cells(const PoolShape& s, std::int64_t oy, std::int64_t ox);

// Row `oy` of the largest of each window, and (where `winners` is not null) its cell ky * kw + kx,
// the first of equal ones. A NaN wins, as in PyTorch; padding never does.
//   image: [h, w, c]      y, winners: [ow, c]
void max_pool_row(const F32Kernels& kernels, const PoolShape& s, std::int64_t oy,
                  const float* image, float* y, std::uint8_t* winners);

// Row `oy` of the mean of each window: the sum in the order of its cells, divided by kh * kw.
void avg_pool_row(const PoolShape& s, std::int64_t oy, const float* image, float* y);

}  // namespace octet::kernels
