#include "kernels/f32/pack.h"

#include <algorithm>

#include "base/parallel.h"

namespace octet::kernels {

void pack_transposed(const float* w, const Panels& panels, std::int64_t k, float* packed) {
  constexpr std::int64_t kBlock = 64;  // rows of the result: a block of both sides stays in L1
  const std::int64_t blocks = (k + kBlock - 1) / kBlock;
  parallel_for(panels.count() * blocks, [&](std::int64_t item) {
    const std::int64_t panel = item / blocks, first = item % blocks * kBlock;
    const std::int64_t last = std::min(k, first + kBlock), width = panels.width(panel);
    const std::int64_t used = panels.used(panel);
    const float* from = w + panels.first(panel) * k;
    float* to = packed + panels.first(panel) * k;
    for (std::int64_t i = first; i < last; ++i) {
      for (std::int64_t j = 0; j < used; ++j) to[i * width + j] = from[j * k + i];
      std::fill(to + i * width + used, to + (i + 1) * width, 0.0f);
    }
  });
}

}  // namespace octet::kernels
