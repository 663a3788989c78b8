#pragma once

#include <span>

namespace octet {

// Neighbouring bins of a histogram, both ends included.
struct BinRange {
  int first = 0;
  int last = 0;

  bool operator==(const BinRange&) const = default;
};

// What quantizing costs, eq. (20): the squared error, summed over the values of a histogram, if
// `codes` cells of equal width divide `range`, each value becomes the middle of its cell, and
// values outside of the range the middle of the outermost cell. In squared widths of a bin. Values
// lie evenly within their bin.
//   histogram: how many values each bin has (fractions are allowed)
double quantization_error(std::span<const float> histogram, BinRange range, int codes);

// A range of small error, eq. (21): narrows the range of all bins, at each step by cutting values
// off on the side where a further 1e-5 of them take more bins, and stops before the step that makes
// the error larger. PyTorch's non-linear parameter search (HistogramObserver). Needs a bin that is
// not empty.
BinRange search_range(std::span<const float> histogram, int codes);

}  // namespace octet
