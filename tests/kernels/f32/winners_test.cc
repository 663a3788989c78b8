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

  void add(float gradient, std::uint32_t place) {
    gradients.push_back(gradient);
    places.push_back(place);
  }
};

WinnerRow row_args(const Row& row, bool with_y, int cell) {
  return {.windows = row.windows,
          .channels = row.channels,
          .cell = cell,
          .dy = row.dy.data(),
          .y = with_y ? row.y.data() : nullptr,
          .cells = row.cells.data()};
}

// The gradient of a column of the map behind its pool.
float gradient_at(const WinnerRow& row, std::int64_t column, std::int64_t channel) {
  const std::int64_t i = column / 2 * row.channels + channel;
  const bool passes = row.y == nullptr || row.y[i] > 0.0f;
  return passes && row.cells[i] == row.cell + column % 2 ? row.dy[i] : 0.0f;
}

std::int64_t count_wrong(const List& expected, const float* gradients,
                         const std::uint32_t* places) {
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
    const float got = gradients[i], want = expected.gradients[i];
    wrong += !(got == want || (std::isnan(got) && std::isnan(want)));
    wrong += places[i] != expected.places[i];
  }
  return wrong;
}

// Calls check(row, args) for rows of many shapes, with and without y, upper and lower ones.
template <class Check>
void for_each_row(const Check& check) {
  for (const std::int64_t channels : {1, 3, 6, 8, 16, 21, 33}) {
    for (const std::int64_t windows : {1, 5, 8, 14}) {
      const Row row(windows, channels);
      CAPTURE(channels);
      CAPTURE(windows);
      for (const bool with_y : {false, true}) {
        for (const int cell : {0, 2}) {
          CAPTURE(with_y);
          CAPTURE(cell);
          check(row, row_args(row, with_y, cell));
        }
      }
    }
  }
}

TEST_CASE("f32 winners: the places of a row, column by column") {
  for_each_row([](const Row& row, const WinnerRow& args) {
    List expected;
    for (std::int64_t column = 0; column < 2 * row.windows; ++column) {
      for (std::int64_t channel = 0; channel < row.channels; ++channel) {
        const float g = gradient_at(args, column, channel);
        const std::int64_t place = column + channel * std::int64_t{kPlaceColumns};
        if (g != 0.0f) expected.add(g, static_cast<std::uint32_t>(place));
      }
    }
    for_each_kernels([&](const F32Kernels& kernels) {
      std::vector<float> gradients(row.places.size());
      std::vector<std::uint32_t> places(row.places.size());
      const std::int64_t count =
          kernels.winner_places({args, row.places.data()}, gradients.data(), places.data());
      REQUIRE(at(count) == expected.gradients.size());
      CHECK(count_wrong(expected, gradients.data(), places.data()) == 0);
    });
  });
}

TEST_CASE("f32 winners: the lists of all channels go on, row after row") {
  constexpr std::int32_t kFirst = 1000, kStep = 6, kLine = 300, kBefore = 3;
  for_each_row([](const Row& row, const WinnerRow& args) {
    const std::int64_t room = kBefore + 2 * row.windows + kWinnerSlack;
    std::vector<std::int32_t> offsets(at(row.windows + kWinnerSlack));
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      offsets[i] = static_cast<std::int32_t>(i) * 2 * kStep;
    }
    for (const std::int64_t rows : {1, 2}) {
      if (rows == 2 && args.cell != 0) continue;
      CAPTURE(rows);
      std::vector<List> expected(at(row.channels));
      for (std::int64_t channel = 0; channel < row.channels; ++channel) {
        for (std::int64_t below = 0; below < rows; ++below) {
          WinnerRow this_row = args;
          this_row.cell += static_cast<int>(2 * below);
          for (std::int64_t column = 0; column < 2 * row.windows; ++column) {
            const float g = gradient_at(this_row, column, channel);
            const std::int64_t offset = kFirst + below * kLine + column * kStep;
            if (g != 0.0f) expected[at(channel)].add(g, static_cast<std::uint32_t>(offset));
          }
        }
      }
      for_each_kernels([&](const F32Kernels& kernels) {
        std::vector<float> planes(at(kWinnerPlanes * (row.windows + kWinnerSlack)));
        std::vector<float> gradients(at(row.channels * room));
        std::vector<std::int32_t> places(at(row.channels * room)), ends(at(row.channels));
        for (std::int64_t channel = 0; channel < row.channels; ++channel) {
          ends[at(channel)] = static_cast<std::int32_t>(channel * room + kBefore);
        }
        kernels.winner_lists({.row = args,
                              .rows = rows,
                              .offsets = offsets.data(),
                              .first = kFirst,
                              .step = kStep,
                              .line = kLine,
                              .planes = planes.data(),
                              .gradients = gradients.data(),
                              .list_offsets = places.data(),
                              .ends = ends.data()});
        for (std::int64_t channel = 0; channel < row.channels; ++channel) {
          const List& list = expected[at(channel)];
          const std::int64_t begin = channel * room + kBefore;
          REQUIRE(at(ends[at(channel)] - begin) == list.gradients.size());
          const std::vector<std::uint32_t> got(places.begin() + begin,
                                               places.begin() + ends[at(channel)]);
          CHECK(count_wrong(list, gradients.data() + begin, got.data()) == 0);
        }
      });
    }
  });
}

TEST_CASE("f32 winners: the bias' sums are chains of every pixel, or of every fourth") {
  for_each_row([](const Row& row, const WinnerRow& args) {
    for (const std::int64_t chains : {1, 4}) {
      for (const std::int64_t first_pixel : {4, 5, 6, 7}) {
        CAPTURE(chains);
        CAPTURE(first_pixel);
        const std::vector<float> start = random_floats(at(chains * row.channels), 7);
        std::vector<float> sums = start;
        for (std::int64_t column = 0; column < 2 * row.windows; ++column) {
          for (std::int64_t channel = 0; channel < row.channels; ++channel) {
            sums[at((first_pixel + column) % chains * row.channels + channel)] +=
                gradient_at(args, column, channel);
          }
        }
        for_each_kernels([&](const F32Kernels& kernels) {
          std::vector<float> got = start;
          kernels.winner_bias({args, first_pixel, chains, got.data()});
          std::int64_t wrong = 0;
          for (std::size_t i = 0; i < got.size(); ++i) {
            wrong += !(got[i] == sums[i] || (std::isnan(got[i]) && std::isnan(sums[i])));
          }
          CHECK(wrong == 0);
        });
      }
    }
  });
}

// Of step `step`: 23 columns, `rows` lines with room for `columns` floats at each column. The sums
// are those of five channels, whose lists are some of the first thirds of one.
void check_sums_and_spread(std::int64_t step, std::int64_t columns, std::int64_t rows) {
  CAPTURE(step);
  CAPTURE(columns);
  CAPTURE(rows);
  constexpr std::int64_t kCount = 39, kChannels = 5, kWidth = 23, kLists = 5;
  constexpr std::int64_t kThirds[kLists] = {1, 2, 3, 0, 3};
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
  const std::vector<float> start = random_floats(at(kLists * rows * columns), 6);
  std::vector<float> sums = start, dx = x;
  std::vector<float> list_gradients;
  std::vector<std::int32_t> list_offsets, ends;
  for (std::int64_t list = 0; list < kLists; ++list) {
    const std::int64_t count = kCount * kThirds[list] / 3;
    ends.push_back(static_cast<std::int32_t>(list * kCount + count));
    list_gradients.insert(list_gradients.end(), gradients.begin(), gradients.end());
    list_offsets.insert(list_offsets.end(), offsets.begin(), offsets.end());
    for (std::int64_t i = 0; i < count * rows * columns; ++i) {
      const std::int64_t winner = i / (rows * columns), r = i / columns % rows, j = i % columns;
      float& sum = sums[at((list * rows + r) * columns + j)];
      sum = std::fma(gradients[at(winner)], x[at(offsets[at(winner)] + r * line + j)], sum);
    }
  }
  for (std::int64_t i = 0; i < kCount; ++i) {
    const std::int64_t channel = places[at(i)] / kPlaceColumns;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < columns; ++j) {
        float& to = dx[at(offsets[at(i)] + r * line + j)];
        to = std::fma(gradients[at(i)], weight[at((channel * rows + r) * columns + j)], to);
      }
    }
  }
  for_each_kernels([&](const F32Kernels& kernels) {
    std::vector<float> got_sums = start, got_dx = x;
    kernels.winner_sums({.channels = kLists,
                         .room = kCount,
                         .ends = ends.data(),
                         .gradients = list_gradients.data(),
                         .offsets = list_offsets.data(),
                         .x = x.data(),
                         .line = line,
                         .rows = rows,
                         .columns = columns,
                         .sums = got_sums.data()});
    CHECK(got_sums == sums);
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
