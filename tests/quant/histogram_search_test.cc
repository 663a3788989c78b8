#include "quant/histogram_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"
#include "tests/testing.h"

namespace octet {
namespace {

using Histogram = std::vector<float>;

// A bell in the middle, a few values far out, empty bins between: what activations look like.
Histogram bell(std::size_t bins, double center, double width, std::uint64_t seed) {
  Rng rng(seed, RngPurpose::kTest);
  Histogram h(bins);
  for (std::size_t i = 0; i < bins; ++i) {
    const double at = (static_cast<double>(i) / static_cast<double>(bins) - center) / width;
    h[i] = static_cast<float>(std::floor(1000.0 * std::exp(-at * at) *
                                         (0.5 + 0.01 * static_cast<double>(rng.below(100)))));
  }
  h.front() += 1.0f;
  h.back() += 2.0f;
  return h;
}

// Eq. (20) by brute force: each bin in many thin slices, each slice to the nearest middle.
double sliced_error(const Histogram& h, BinRange range, int codes) {
  constexpr int kSlices = 1000;
  const double cell = static_cast<double>(range.last - range.first + 1) / codes;
  double error = 0.0;
  for (std::size_t i = 0; i < h.size(); ++i) {
    for (int s = 0; s < kSlices; ++s) {
      const double v = static_cast<double>(i) - range.first + (s + 0.5) / kSlices;
      double nearest = std::numeric_limits<double>::infinity();
      for (int code = 0; code < codes; ++code) {
        nearest = std::min(nearest, std::fabs(v - (code + 0.5) * cell));
      }
      error += double{h[i]} * nearest * nearest / kSlices;
    }
  }
  return error;
}

// Eq. (21) word for word: every step looks at the bins from the ends of the range again.
BinRange plain_search(const Histogram& h, int codes) {
  double total = 0.0;
  for (const float v : h) total += double{v};
  const auto up_to = [&](int bin) {
    double sum = 0.0;
    for (int i = 0; i <= bin; ++i) sum += double{h[static_cast<std::size_t>(i)]};
    return sum;
  };
  BinRange range{0, static_cast<int>(h.size()) - 1};
  double alpha = 0.0, beta = 1.0, smallest = std::numeric_limits<double>::infinity();
  while (alpha < beta) {
    BinRange next = range;
    int l = range.first, r = range.last;
    while (l < range.last && up_to(l) < (alpha + 1e-5) * total) ++l;
    while (r > range.first && up_to(r) > (beta - 1e-5) * total) --r;
    if (l - range.first > range.last - r) {
      next.first = l;
      alpha += 1e-5;
    } else {
      next.last = r;
      beta -= 1e-5;
    }
    if (next == range) continue;
    const double error = quantization_error(h, next, codes);
    if (error > smallest) break;
    smallest = error;
    range = next;
  }
  return range;
}

}  // namespace

TEST_CASE("histogram search: the error of four bins, and the range, computed by hand") {
  const Histogram h = {1.0f, 8.0f, 4.0f, 1.0f};
  // Cells of 2 bins: in each bin the integral of v^2 from 0 to 1.
  CHECK(quantization_error(h, {0, 3}, 2) == doctest::Approx(14.0 / 3));
  // Cells of 1: 1/12 within; the bins outside are 0.5 to 1.5 from the middle of the last cell.
  CHECK(quantization_error(h, {1, 2}, 2) == doctest::Approx(12.0 / 12 + 2 * 13.0 / 12));
  CHECK(quantization_error(h, {0, 1}, 2) == doctest::Approx(9.0 / 12 + 4 * 13.0 / 12 + 49.0 / 12));
  // Cells of 1.5, the second bin half in each.
  CHECK(quantization_error(h, {0, 2}, 2) ==
        doctest::Approx(7.0 / 48 + 8 * 13.0 / 48 + 4 * 7.0 / 48 + 79.0 / 48));
  // The last bin has fewer bins below its quantile, so it goes: 4.67 -> 4.54. Without bin 2: 9.17.
  CHECK(search_range(h, 2) == BinRange{0, 2});
}

TEST_CASE("histogram search: the error equals that of thin slices sent to the nearest middle") {
  const Histogram h = bell(40, 0.4, 0.2, 1);
  for (const BinRange range :
       {BinRange{0, 39}, BinRange{0, 20}, BinRange{7, 30}, BinRange{19, 19}}) {
    for (const int codes : {2, 4, 16, 256}) {
      CAPTURE(range.first);
      CAPTURE(range.last);
      CAPTURE(codes);
      CHECK(quantization_error(h, range, codes) ==
            doctest::Approx(sliced_error(h, range, codes)).epsilon(0.002));
    }
  }
}

TEST_CASE("histogram search: finds the range of the plain search") {
  std::uint64_t seed = 0;
  for (const double center : {0.0, 0.1, 0.5, 0.93}) {
    for (const double width : {0.01, 0.1, 0.5}) {
      for (const int codes : {4, 16, 256}) {
        CAPTURE(center);
        CAPTURE(width);
        CAPTURE(codes);
        const Histogram h = bell(150, center, width, ++seed);
        const BinRange expected = plain_search(h, codes), got = search_range(h, codes);
        CHECK(got.first == expected.first);
        CHECK(got.last == expected.last);
      }
    }
  }
}

// It looks at few ranges, so it need not find the best; on these bells it comes within four times
// the smallest error.
TEST_CASE("histogram search: lies between the best of all ranges and the whole range") {
  for (const double width : {0.03, 0.1, 0.2}) {
    for (const int codes : {4, 16}) {
      const Histogram h = bell(100, 0.5, width, 3);
      double smallest = std::numeric_limits<double>::infinity();
      for (int first = 0; first < 100; ++first) {
        for (int last = first; last < 100; ++last) {
          smallest = std::min(smallest, quantization_error(h, {first, last}, codes));
        }
      }
      const double found = quantization_error(h, search_range(h, codes), codes);
      const double whole = quantization_error(h, {0, 99}, codes);
      CAPTURE(width);
      CAPTURE(codes);
      CHECK(found >= smallest);
      CHECK(found < 4.5 * smallest);
      CHECK(found < 0.8 * whole);
    }
  }
}

}  // namespace octet
