#pragma once

#include <algorithm>
#include <cstdint>

// Which taps of a kernel meet which source positions, along one axis. A convolution and its data
// gradient are the same computation with different lists:
//   y[p]  = sum over taps t of x[p * stride - padding + t] * w[t]
//   dx[p] = sum over taps t of dy[(p + padding - t) / stride] * w[t], where the division is exact
// Both lists run through consecutive source positions in ascending order. A border or a stride is
// only a shorter list: nothing is padded, and no product with a padding zero is computed. Float and
// integer kernels use the same lists.
namespace octet::kernels {

// Source positions [source, source + count) meet taps [tap, tap + count) in the order of the list.
struct TapRange {
  std::int64_t source = 0, tap = 0, count = 0;
};

// One axis: its extents and the kernel along it.
struct TapAxis {
  std::int64_t extent, out_extent, kernel, stride, padding;

  // For output position `at`. The order of the taps is the kernel's own.
  TapRange forward(std::int64_t at) const {
    const std::int64_t top = at * stride - padding;
    const std::int64_t first = std::max<std::int64_t>(0, -top);
    return {top + first, first, std::max<std::int64_t>(0, std::min(kernel, extent - top) - first)};
  }

  // For input position `at`. The order of the taps is gradient_tap.
  TapRange gradient(std::int64_t at) const {
    const std::int64_t last = (at + padding) / stride, phase = at + padding - last * stride;
    const std::int64_t taps = phase_taps(phase);
    const std::int64_t least = last - taps + 1;  // where the phase's first tap has its output
    const std::int64_t first = std::max<std::int64_t>(0, least);
    return {first, phase_begin(phase) + first - least,
            std::max<std::int64_t>(0, std::min(last + 1, out_extent) - first)};
  }

  struct Outputs {
    std::int64_t first, last;
  };
  // Output positions [first, last) at which the tap is inside the image.
  Outputs outputs(std::int64_t tap) const {
    const auto at_least = [&](std::int64_t position) {  // the first output that is not before it
      return position <= 0 ? 0 : (position + stride - 1) / stride;
    };
    const std::int64_t last = std::min(out_extent, at_least(extent + padding - tap));
    return {std::min(last, at_least(padding - tap)), last};
  }

  // Taps sorted by their phase (tap % stride), and within it descending: ascending outputs.
  std::int64_t gradient_tap(std::int64_t index) const {
    std::int64_t phase = 0;
    for (; index >= phase_taps(phase); ++phase) index -= phase_taps(phase);
    return phase + (phase_taps(phase) - 1 - index) * stride;
  }

 private:
  std::int64_t phase_taps(std::int64_t phase) const {
    return phase < kernel ? (kernel - phase + stride - 1) / stride : 0;
  }
  std::int64_t phase_begin(std::int64_t phase) const {
    std::int64_t begin = 0;
    for (std::int64_t p = 0; p < phase; ++p) begin += phase_taps(p);
    return begin;
  }
};

}  // namespace octet::kernels
