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

// The winners in one row of a map [width, channels] whose gradient is not zero, in the order of
// windows, then channels; or by_columns, in the order of columns, then channels.
//   dy, y, cells, places: [windows, channels], windows = width / 2
struct WinnerRowArgs {
  std::int64_t windows = 0, channels = 0;
  int cell = 0;  // of the row's first cell in a window, 0 or 2
  bool by_columns = false;
  const std::uint32_t* places = nullptr;  // of each window's first column; with slack
  const float* dy = nullptr;
  const float* y = nullptr;             // where it is not positive, the gradient is 0; or null
  const std::uint8_t* cells = nullptr;  // which cell has won (HalveFunction)
};
// Writes gradients and places, returns how many. Both have room for all windows and the slack.
using WinnerRowFunction = std::int64_t (*)(const WinnerRowArgs&, float* gradients,
                                           std::uint32_t* places);

// sums[r, j] += gradients[i] * x[offsets[i] + r * line + j], as chains with i ascending: the
// gradient of one output channel's weights.
struct WinnerSumsArgs {
  std::int64_t count = 0;
  const float* gradients = nullptr;
  const std::int32_t* offsets = nullptr;
  const float* x = nullptr;  // with slack
  std::int64_t line = 0;
  std::int64_t rows = 0, columns = 0;  // columns: 8, 16 or 32
  float* sums = nullptr;               // [rows, columns]
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
