#include "quant/histogram_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace octet {
namespace {

// Integral of v^2 from `begin` to `end`.
double integral(double begin, double end) {
  return (end * end * end - begin * begin * begin) / 3.0;
}

}  // namespace

// A bin's part of eq. (20): the rest of the cell in which it begins, whole cells, and the beginning
// of the cell in which it ends. Where that is one cell, the whole cells are -1, and it comes out.
double quantization_error(std::span<const float> histogram, BinRange range, int codes) {
  const double cell = static_cast<double>(range.last - range.first + 1) / codes, half = cell / 2.0;
  const double whole_cell = integral(-half, half), last_cell = codes - 1;
  double error = 0.0;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    const double begin = static_cast<double>(i) - range.first, end = begin + 1.0;
    const double first = std::clamp(std::floor(begin / cell), 0.0, last_cell);
    const double last = std::clamp(std::floor(end / cell), 0.0, last_cell);
    error += double{histogram[i]} *
             (integral(begin - (first + 0.5) * cell, half) + (last - first - 1.0) * whole_cell +
              integral(-half, end - (last + 0.5) * cell));
  }
  return error;
}

BinRange search_range(std::span<const float> histogram, int codes) {
  std::vector<double> up_to(histogram.size());  // the values of all bins up to this one
  double total = 0.0;
  for (std::size_t i = 0; i < histogram.size(); ++i) up_to[i] = total += double{histogram[i]};

  BinRange range{0, static_cast<int>(histogram.size()) - 1};
  double smallest = std::numeric_limits<double>::infinity();
  // Shares of the values below which, and above which, something is cut off. Where they lead to,
  // `l` and `r`, only moves inwards: no bin is looked at twice.
  double alpha = 0.0, beta = 1.0;
  int l = range.first, r = range.last;
  while (alpha < beta) {
    const double next_alpha = alpha + 1e-5, next_beta = beta - 1e-5;
    l = std::min(l, range.last);
    r = std::max(r, range.first);
    while (l < range.last && up_to[static_cast<std::size_t>(l)] < next_alpha * total) ++l;
    while (r > range.first && up_to[static_cast<std::size_t>(r)] > next_beta * total) --r;

    BinRange next = range;
    if (l - range.first > range.last - r) {
      next.first = l;
      alpha = next_alpha;
    } else {
      next.last = r;
      beta = next_beta;
    }
    if (next == range) continue;
    const double error = quantization_error(histogram, next, codes);
    if (error > smallest) break;
    smallest = error;
    range = next;
  }
  return range;
}

}  // namespace octet
