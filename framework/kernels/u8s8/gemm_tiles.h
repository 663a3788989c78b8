#pragma once

#include "kernels/u8s8/gemm_args.h"

// The loops around the register tiles, shared by the vector kernels. Everything here is internal to
// the file that includes it, because each such file is compiled for another instruction set.
//
// In those files every loop over the rows (r) and vectors (v) of a tile is unrolled by pragma and
// the accumulators are pinned to registers after the loop over k: GCC 12 otherwise keeps them in
// memory or stores them in each step, which halves the speed.
namespace octet::kernels {
namespace {

// Rows whose activations stay in the cache while all panels of weights pass by (MLAS blocks the
// same way); a multiple of every mr.
constexpr std::int64_t kRowBlock = 240;

// One register tile: `rows` rows of a and c, and the columns [first, first + columns) of panel
// `panel`, whose `columns` is below nr only at the right edge of c.
struct Tile {
  const std::uint8_t* a;
  std::ptrdiff_t a_stride;
  std::int64_t k;
  const void* panel;
  const Epilogue* epilogue;
  std::int64_t first, columns;
};

// Kernel::run<rows> for a number of rows that is known at run time only.
template <class Kernel, int Rows, class C>
inline void run_rows(std::int64_t rows, const Tile& tile, C* c, std::ptrdiff_t c_stride) {
  if (rows >= Rows) {
    Kernel::template run<Rows>(tile, c, c_stride);
  } else if constexpr (Rows > 1) {
    run_rows<Kernel, Rows - 1>(rows, tile, c, c_stride);
  }
}

// Kernel has constants kMr, kNr, a function panel_bytes(k) and a template run<Rows>(tile, c,
// c_stride) for C = uint8_t and int32_t.
template <class Kernel, class C>
inline void for_each_tile(const GemmArgs& args, C* c, std::ptrdiff_t c_stride) {
  static_assert(kRowBlock % Kernel::kMr == 0);
  const std::int64_t panel_bytes = Kernel::panel_bytes(args.k);
  for (std::int64_t block = 0; block < args.m; block += kRowBlock) {
    const std::int64_t end = args.m - block < kRowBlock ? args.m : block + kRowBlock;
    const auto* panel = static_cast<const char*>(args.packed_w);
    for (std::int64_t j = 0; j < args.n; j += Kernel::kNr, panel += panel_bytes) {
      const std::int64_t columns = args.n - j < Kernel::kNr ? args.n - j : Kernel::kNr;
      for (std::int64_t i = block; i < end; i += Kernel::kMr) {
        const Tile tile{
            args.a + i * args.a_stride, args.a_stride, args.k, panel, &args.epilogue, j, columns};
        run_rows<Kernel, Kernel::kMr>(end - i, tile, c + i * c_stride + j, c_stride);
      }
    }
  }
}

// Four activations, the first in the low byte. A plain load where the compiler sees it.
[[gnu::always_inline]] inline std::int32_t load_4(const std::uint8_t* a) {
  std::int32_t word;
  __builtin_memcpy(&word, a, 4);
  return word;
}

// The last `count` (1 to 3) activations of a row; the missing ones are 0, as their weights are.
[[gnu::always_inline]] inline std::int32_t load_tail(const std::uint8_t* a, std::int64_t count) {
  std::uint32_t word = a[0];
  if (count > 1) word |= std::uint32_t{a[1]} << 8;
  if (count > 2) word |= std::uint32_t{a[2]} << 16;
  return static_cast<std::int32_t>(word);
}

}  // namespace
}  // namespace octet::kernels
