#pragma once

#include <cstdint>

// Products with the gradient that max-pool of 2x2 windows hands back. One cell of each window has
// won and all others get zero, so that three quarters of that gradient, or more, is zero: what is
// not is a list of winners, and the products are taken for them alone. One implementation per
// instruction set (kernels.inc), equal with ==. This header is seen by files that are compiled for
// one instruction set, hence no standard containers and nothing that emits code.
namespace octet::kernels {

// A winner's place in its row of the map before the pool: column + channel * kPlaceColumns.
constexpr std::uint32_t kPlaceColumns = 1 << 16;

// Memory that is read in whole vectors: so many floats beyond the last one are readable, and lists
// writable.
constexpr std::int64_t kWinnerSlack = 16;

// The gradient of a row of a map [width, channels] behind its pool; windows = width / 2.
struct WinnerRow {
  std::int64_t windows = 0, channels = 0;
  int cell = 0;                         // of the row's first cell in a window, 0 or 2
  const float* dy = nullptr;            // [windows, channels]
  const float* y = nullptr;             // where it is not positive, the gradient is 0; or null
  const std::uint8_t* cells = nullptr;  // which cell has won (HalveFunction)
};

// The row's winners whose gradient is not zero, in the order of columns, then channels.
struct WinnerPlacesArgs {
  WinnerRow row;
  const std::uint32_t* places = nullptr;  // of each window's first column: [windows, channels]
};
// Writes gradients and places, returns how many. Both have room for all windows and the slack; so
// has args.places.
using WinnerPlacesFunction = std::int64_t (*)(const WinnerPlacesArgs&, float* gradients,
                                              std::uint32_t* places);

// The same channel by channel, of this row and the one below it in the same windows, each appended
// to its channel's list.
struct WinnerListsArgs {
  WinnerRow row;
  std::int64_t rows = 1;                  // 1, or 2 where row.cell is 0
  const std::int32_t* offsets = nullptr;  // of each window's first column; with slack
  std::int32_t first = 0;                 // added to all offsets
  std::int32_t step = 0, line = 0;        // from a column to the next, from a row to the next
  float* planes = nullptr;                // scratch: kWinnerPlanes * (windows + kWinnerSlack)
  float* gradients = nullptr;             // the lists; each with slack
  std::int32_t* list_offsets = nullptr;
  std::int32_t* ends = nullptr;  // [channels]: where each one's list ends
};
constexpr std::int64_t kWinnerPlanes = 16;
using WinnerListsFunction = void (*)(const WinnerListsArgs&);

// sums[p % chains, c] += the gradient of column p - first_pixel, channel c, as chains with p
// ascending. Those that have not won add zero, which changes no sum that began with +0.
struct WinnerBiasArgs {
  WinnerRow row;
  std::int64_t first_pixel = 0, chains = 1;  // 1 or 4
  float* sums = nullptr;                     // [chains, channels]
};
using WinnerBiasFunction = void (*)(const WinnerBiasArgs&);

// sums[c, r, j] += gradients[i] * x[offsets[i] + r * line + j], as chains with i ascending in
// channel c's list, [c * room, ends[c]): the gradient of the weights.
struct WinnerSumsArgs {
  std::int64_t channels = 0, room = 0;
  const std::int32_t* ends = nullptr;
  const float* gradients = nullptr;
  const std::int32_t* offsets = nullptr;
  const float* x = nullptr;  // with slack
  std::int64_t line = 0;
  std::int64_t rows = 0, columns = 0;  // columns: 8, 16 or 32
  float* sums = nullptr;               // [channels, rows, columns]
};
using WinnerSumsFunction = void (*)(const WinnerSumsArgs&);

// dx[column(i) * step + r * line + j] += gradients[i] * weight[channel(i), r, j], with i ascending:
// what the winners of one row, listed by columns, add to the lines under it.
struct WinnerSpreadArgs {
  std::int64_t count = 0;
  const float* gradients = nullptr;
  const std::uint32_t* places = nullptr;
  const float* weight = nullptr;       // [channels, rows, columns]
  std::int64_t rows = 0, columns = 0;  // columns: 8, 16 or 32
  float* dx = nullptr;                 // with slack
  std::int64_t step = 0, line = 0;     // column * step + columns <= line
};
using WinnerSpreadFunction = void (*)(const WinnerSpreadArgs&);

}  // namespace octet::kernels
