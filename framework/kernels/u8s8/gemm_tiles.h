#pragma once

#include "kernels/u8s8/gemm_args.h"

// The loops around the register tiles, shared by the vector kernels. Everything here is internal to
// the file that includes it, because each such file is compiled for another instruction set.
//
// In those files every loop over the rows (r) and vectors (v) of a tile is unrolled by pragma and
// the accumulators are pinned to registers after the loop over k: GCC 12 otherwise keeps them in
// memory or stores them in each step, which halves the speed (.ci/spills.sh).
namespace octet::kernels {
namespace {

// One register tile: the rows [row, row + Rows) and the columns [first, first + columns), which are
// one panel's; columns is below nr only at the right edge of c.
struct Tile {
  const GemmArgs& args;
  std::int64_t row;
  const std::int8_t* panel;
  std::int64_t first, columns;

  const std::uint8_t* a(int r) const { return args.a + args.a_rows[row + r]; }
  std::ptrdiff_t c(int r) const { return args.c_rows[row + r] + first; }
};

// Kernel::run<rows> for a number of rows that is known at run time only.
template <class Kernel, int Rows, class C>
inline void run_rows(std::int64_t rows, const Tile& tile, C* c) {
  if (rows >= Rows) {
    Kernel::template run<Rows>(tile, c);
  } else if constexpr (Rows > 1) {
    run_rows<Kernel, Rows - 1>(rows, tile, c);
  }
}

// Kernel has constants kMr, kNr and a template run<Rows>(tile, c) for C = uint8_t and int32_t.
// Tiles are of nearly equal height: the last one never has one row beside others with many.
template <class Kernel, class C>
inline void for_each_tile(const GemmArgs& args, C* c) {
  const auto* panel = static_cast<const std::int8_t*>(args.packed_w);
  for (std::int64_t j = 0; j < args.n; j += Kernel::kNr, panel += Kernel::kNr * args.panel_k) {
    const std::int64_t columns = args.n - j < Kernel::kNr ? args.n - j : Kernel::kNr;
    std::int64_t tiles = (args.m + Kernel::kMr - 1) / Kernel::kMr;
    for (std::int64_t i = 0; i < args.m; --tiles) {
      const std::int64_t rows = (args.m - i + tiles - 1) / tiles;
      run_rows<Kernel, Kernel::kMr>(rows, Tile{args, i, panel, j, columns}, c);
      i += rows;
    }
  }
}

// Four activations, the first in the low byte. A plain load where the compiler sees it.
[[gnu::always_inline]] inline std::int32_t load_4(const std::uint8_t* a) {
  std::int32_t word;
  __builtin_memcpy(&word, a, 4);
  return word;
}

// The last `count` (1 to 3) activations of a run; the missing ones are 0, as their weights are.
[[gnu::always_inline]] inline std::int32_t load_tail(const std::uint8_t* a, std::int64_t count) {
  std::uint32_t word = a[0];
  if (count > 1) word |= std::uint32_t{a[1]} << 8;
  if (count > 2) word |= std::uint32_t{a[2]} << 16;
  return static_cast<std::int32_t>(word);
}

}  // namespace
}  // namespace octet::kernels
