#include "kernels/f32/winners.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/rng.h"
#include "kernels/f32/kernels.h"
#include "tests/guarded_buffer.h"
#include "tests/kernels/f32/numbers.h"

namespace octet::kernels {
namespace {

using testing::Guard;
using testing::GuardedBuffer;
using testing::random_floats;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

template <class Function>
void for_each_kernels(const Function& function) {
  for (const F32Kernels& kernels : f32_kernels()) {
    if (!cpu_supports(kernels.isa)) continue;
    CAPTURE(std::string(kernels.name));
    function(kernels);
  }
}

// A row of windows whose operands end where readable memory ends, with zeros of both signs and NaN.
struct Row {
  std::int64_t windows, channels;
  GuardedBuffer<float> dy, y;
  GuardedBuffer<std::uint8_t> cells;
  std::vector<std::uint32_t> places;

  Row(std::int64_t windows_, std::int64_t channels_)
      : windows(windows_),
        channels(channels_),
        dy(at(windows * channels), Guard::kAfter),
        y(at(windows * channels), Guard::kAfter),
        cells(at(windows * channels), Guard::kAfter),
        places(at(windows * channels + kWinnerSlack)) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> special = {0.0f, -0.0f, nan};
    const std::vector<float> values = random_floats(at(2 * windows * channels), 1);
    Rng rng(1, RngPurpose::kTest, 0, static_cast<std::uint32_t>(channels));
    for (std::int64_t i = 0; i < windows * channels; ++i) {
      dy.begin()[i] = rng.below(8) == 0 ? special[rng.below(3)] : values[at(2 * i)];
      y.begin()[i] = rng.below(8) == 0 ? special[rng.below(3)] : values[at(2 * i + 1)];
      cells.begin()[i] = static_cast<std::uint8_t>(rng.below(4));
      places[at(i)] = static_cast<std::uint32_t>(i / channels * 2) +
                      static_cast<std::uint32_t>(i % channels) * kPlaceColumns;
    }
  }
};

struct List {
  std::vector<float> gradients;
  std::vector<std::uint32_t> places;
};

// What winners.h says, window by window.
List expected_list(const Row& row, bool with_y, int cell, bool by_columns) {
  List list;
  const auto add = [&](std::int64_t i, bool wins, std::uint32_t column) {
    const float g = with_y && !(row.y.data()[i] > 0.0f) ? 0.0f : row.dy.data()[i];
    if (!wins || g == 0.0f) return;
    list.gradients.push_back(g);
    list.places.push_back(row.places[at(i)] + column);
  };
  for (std::int64_t w = 0; w < row.windows; ++w) {
    for (int column = 0; column < (by_columns ? 2 : 1); ++column) {
      for (std::int64_t i = w * row.channels; i < (w + 1) * row.channels; ++i) {
        const int winner = row.cells.data()[i];
        add(i, by_columns ? winner == cell + column : winner / 2 == cell / 2,
            static_cast<std::uint32_t>(winner % 2));
      }
    }
  }
  return list;
}

TEST_CASE("f32 winners: the list of a row is the definition's, for every instruction set") {
  for (const std::int64_t channels : {1, 3, 6, 8, 16, 21, 33}) {
    for (const std::int64_t windows : {1, 5, 14}) {
      const Row row(windows, channels);
      CAPTURE(channels);
      CAPTURE(windows);
      for_each_kernels([&](const F32Kernels& kernels) {
        for (const int variant : {0, 1, 2, 3, 4, 5, 6, 7}) {
          const int cell = variant % 2 * 2;
          const bool with_y = variant / 2 % 2 != 0, by_columns = variant / 4 != 0;
          CAPTURE(variant);
          const List expected = expected_list(row, with_y, cell, by_columns);
          std::vector<float> gradients(row.places.size());
          std::vector<std::uint32_t> places(row.places.size());
          const std::int64_t count = kernels.winner_row({.windows = windows,
                                                         .channels = channels,
                                                         .cell = cell,
                                                         .by_columns = by_columns,
                                                         .places = row.places.data(),
                                                         .dy = row.dy.data(),
                                                         .y = with_y ? row.y.data() : nullptr,
                                                         .cells = row.cells.data()},
                                                        gradients.data(), places.data());
          REQUIRE(at(count) == expected.gradients.size());
          std::int64_t wrong = 0;
          for (std::size_t i = 0; i < at(count); ++i) {
            const float got = gradients[i], want = expected.gradients[i];
            wrong += !(got == want || (std::isnan(got) && std::isnan(want)));
            wrong += places[i] != expected.places[i];
          }
          CHECK(wrong == 0);
        }
      });
    }
  }
}

// Of step `step`: 23 columns, `rows` lines with room for `columns` floats at each column.
void check_sums_and_spread(std::int64_t step, std::int64_t columns, std::int64_t rows) {
  CAPTURE(step);
  CAPTURE(columns);
  CAPTURE(rows);
  constexpr std::int64_t kCount = 37, kChannels = 5, kWidth = 23;
  const std::int64_t line = (kWidth - 1) * step + columns;
  const std::vector<float> gradients = random_floats(at(kCount), 2);
  Rng rng(3, RngPurpose::kTest);
  std::vector<std::uint32_t> columns_of(at(kCount)), places;
  for (std::uint32_t& column : columns_of) column = rng.below(kWidth);
  std::sort(columns_of.begin(), columns_of.end());
  std::vector<std::int32_t> offsets;
  for (const std::uint32_t column : columns_of) {
    places.push_back(column + rng.below(kChannels) * kPlaceColumns);
    offsets.push_back(static_cast<std::int32_t>(column * step));
  }
  const std::vector<float> x = random_floats(at(rows * line + kWinnerSlack), 4);
  const std::vector<float> weight = random_floats(at(kChannels * rows * columns), 5);
  const std::vector<float> start = random_floats(at(rows * columns), 6);
  std::vector<float> sums = start, dx = x;
  for (std::int64_t i = 0; i < kCount; ++i) {
    const std::int64_t offset = offsets[at(i)], channel = places[at(i)] / kPlaceColumns;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < columns; ++j) {
        float& sum = sums[at(r * columns + j)];
        sum = std::fma(gradients[at(i)], x[at(offset + r * line + j)], sum);
        float& to = dx[at(offset + r * line + j)];
        to = std::fma(gradients[at(i)], weight[at((channel * rows + r) * columns + j)], to);
      }
    }
  }
  for_each_kernels([&](const F32Kernels& kernels) {
    std::vector<float> got_sums = start, got_dx = x;
    kernels.winner_sums({.count = kCount,
                         .gradients = gradients.data(),
                         .offsets = offsets.data(),
                         .x = x.data(),
                         .line = line,
                         .rows = rows,
                         .columns = columns,
                         .sums = got_sums.data()});
    for (const std::int64_t count : {std::int64_t{0}, kCount}) {
      kernels.winner_spread({.count = count,
                             .gradients = gradients.data(),
                             .places = places.data(),
                             .weight = weight.data(),
                             .rows = rows,
                             .columns = columns,
                             .dx = got_dx.data(),
                             .step = step,
                             .line = line});
      CHECK(got_dx == (count == 0 ? x : dx));
    }
    CHECK(got_sums == sums);
  });
}

TEST_CASE("f32 winners: sums and spread are chains in the order of the list") {
  for (const std::int64_t columns : {8, 16, 32}) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 7, 13}) {
      for (const std::int64_t step : {1, 3, 8, 11, 16, 17}) {
        check_sums_and_spread(step, columns, rows);
      }
    }
  }
}

}  // namespace
}  // namespace octet::kernels
