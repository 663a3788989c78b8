#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/f32/kernels.h"
#include "tests/guarded_buffer.h"

namespace octet::kernels {
namespace {

using testing::Guard;
using testing::GuardedBuffer;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// What HalveFunction says, window by window, of planes [2 * rows, channels, width].
struct Expected {
  std::vector<float> y;
  std::vector<std::uint8_t> cells;

  Expected(std::int64_t rows, std::int64_t width, std::int64_t channels, const float* x) {
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t window = 0; window < width / 2; ++window) {
        for (std::int64_t channel = 0; channel < channels; ++channel) {
          const auto value = [&](std::int64_t cell) {
            return x[((2 * row + cell / 2) * channels + channel) * width + 2 * window + cell % 2];
          };
          std::int64_t best = 0;
          for (std::int64_t cell = 1; cell < 4; ++cell) {
            if (value(cell) > value(best) || std::isnan(value(cell))) best = cell;
          }
          y.push_back(value(best));
          cells.push_back(static_cast<std::uint8_t>(best));
        }
      }
    }
  }
};

// Few values, so that many are equal, and some NaN. The operands end where memory ends.
TEST_CASE("f32 max-pool of planes: the largest of each window and its cell") {
  constexpr std::int64_t kRows = 3;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values = {-0.0f, 0.0f, 1.0f, 2.0f, -3.0f, nan};
  for (const std::int64_t channels : {1, 3, 6, 8}) {
    for (const std::int64_t width : {2, 3, 15, 16, 17, 28, 35}) {
      CAPTURE(channels);
      CAPTURE(width);
      const std::int64_t pixels = 2 * kRows * channels * width;
      GuardedBuffer<float> x(at(pixels), Guard::kAfter);
      Rng rng(1, RngPurpose::kTest);
      for (std::int64_t i = 0; i < pixels; ++i) {
        x.begin()[i] = values[rng.below(static_cast<std::uint32_t>(values.size()))];
      }
      const Expected expected(kRows, width, channels, x.data());
      for (const F32Kernels& kernels : f32_kernels()) {
        if (!cpu_supports(kernels.isa)) continue;
        CAPTURE(std::string(kernels.name));
        GuardedBuffer<float> y(expected.y.size(), Guard::kAfter);
        GuardedBuffer<std::uint8_t> cells(expected.cells.size(), Guard::kAfter);
        for (std::uint8_t* with_cells : {cells.begin(), static_cast<std::uint8_t*>(nullptr)}) {
          std::fill_n(y.begin(), expected.y.size(), -7.0f);
          kernels.halve_planes(kRows, width, channels, x.data(), y.begin(), with_cells);
          CHECK(std::memcmp(y.data(), expected.y.data(), 4 * expected.y.size()) == 0);
        }
        CHECK(std::equal(expected.cells.begin(), expected.cells.end(), cells.data()));
      }
    }
  }
}

}  // namespace
}  // namespace octet::kernels
