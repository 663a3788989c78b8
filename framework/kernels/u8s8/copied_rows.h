#pragma once

#include <cstdint>

namespace octet::kernels {

// Where a kernel copies its rows first (GemmKernel::copied_bytes): activations from one row of the
// copy to the next. Rows begin at cache lines, an odd number of them apart, so that the rows of a
// tile do not meet in one set of the cache.
constexpr std::int64_t copied_row_stride(std::int64_t panel_k) {
  return (panel_k + 63) / 64 * 64 + 32;
}

}  // namespace octet::kernels
