#include "kernels/f32/pack.h"

#include <algorithm>

#include "base/parallel.h"

namespace octet::kernels {

void pack_transposed(const float* w, std::int64_t n, std::int64_t k, float* packed) {
  constexpr std::int64_t kBlock = 64;  // rows of the result: a block of both sides stays in L1
  const std::int64_t blocks = (k + kBlock - 1) / kBlock;
  parallel_for(panel_count(n) * blocks, [&](std::int64_t item) {
    const std::int64_t panel = item / blocks, first = item % blocks * kBlock;
    const std::int64_t last = std::min(k, first + kBlock), width = panel_width(n, panel);
    const std::int64_t columns = std::min(kPanelColumns, n - panel * kPanelColumns);
    const float* from = w + panel * kPanelColumns * k;
    float* to = packed + panel * kPanelColumns * k;
    for (std::int64_t i = first; i < last; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) to[i * width + j] = from[j * k + i];
      std::fill(to + i * width + columns, to + (i + 1) * width, 0.0f);
    }
  });
}

}  // namespace octet::kernels
