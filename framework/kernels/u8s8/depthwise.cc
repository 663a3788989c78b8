#include "kernels/u8s8/depthwise.h"

#include <algorithm>

#include "base/integer_math.h"

namespace octet::kernels {
namespace {

// Where a panel's channel j is: vector v of a panel has in its lane l the four channels from
// 16 l + 4 v on. With one lane that is the order of the channels.
std::int64_t in_lanes(const GemmKernel& kernel, std::int64_t j) {
  return j % 16 / 4 * (kernel.nr / 4) + j / 16 * 4 + j % 4;
}

template <class Weight>
void pack(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, std::int64_t taps,
          Weight* to) {
  const std::int64_t panel_k = div_up(n, kernel.nr) * kernel.nr, kr = kernel.kr;
  std::fill_n(to, div_up(taps, kr) * panel_k * kr, Weight{0});
  for (std::int64_t j = 0; j < n; ++j) {
    const std::int64_t panel = j / kernel.nr * kernel.nr,
                       place = panel + in_lanes(kernel, j - panel);
    for (std::int64_t t = 0; t < taps; ++t) {
      to[(t / kr * panel_k + place) * kr + t % kr] = w[j * taps + t];
    }
  }
}

}  // namespace

std::size_t packed_depthwise_bytes(const GemmKernel& kernel, std::int64_t n, std::int64_t taps) {
  const std::int64_t weights =
      div_up(taps, kernel.kr) * kernel.kr * div_up(n, kernel.nr) * kernel.nr;
  return static_cast<std::size_t>(weights) * depthwise_weight_bytes(kernel);
}

void pack_depthwise(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n,
                    std::int64_t taps, void* packed) {
  if (depthwise_weight_bytes(kernel) == 2) {
    pack(kernel, w, n, taps, static_cast<std::int16_t*>(packed));
  } else {
    pack(kernel, w, n, taps, static_cast<std::int8_t*>(packed));
  }
}

}  // namespace octet::kernels
