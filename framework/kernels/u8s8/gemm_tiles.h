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
  // Weights that come next, and how many bytes of them to fetch in each step of four k.
  const std::int8_t* next;
  std::int64_t next_step;

  const std::uint8_t* a(int r) const { return args.a + args.a_rows[row + r]; }
  // Of the r-th row of c.
  template <Pool kPool = Pool::kNone>
  std::ptrdiff_t c(int r) const {
    return args.c_rows[row / rows_of(kPool) + r] + first;
  }
};

// Kernel::run<rows> for a number of rows that is known at run time only.
template <class Kernel, Pool kPool, int Rows, class C>
inline void run_rows(std::int64_t rows, const Tile& tile, C* c) {
  if (rows >= Rows) {
    Kernel::template run<Rows, kPool>(tile, c);
  } else if constexpr (Rows > rows_of(kPool)) {
    run_rows<Kernel, kPool, Rows - rows_of(kPool)>(rows, tile, c);
  }
}

// Weights of the next panel that each step of the tiles has to fetch so that all have come when it
// begins. Small maps have so few rows that a panel's weights take as long to come from the last
// level cache as the products take.
inline std::int64_t bytes_to_fetch(const GemmArgs& args, std::int64_t panel_bytes,
                                   std::int64_t tiles) {
  std::int64_t steps = 0;
  for (std::int64_t q = 0; q < args.run_count; ++q) steps += args.runs[q].count / 4;
  return steps == 0 ? 0 : (panel_bytes + steps * tiles - 1) / (steps * tiles);
}

// Tiles are of nearly equal height: the last one never has one row beside others with many.
template <class Kernel, Pool kPool, class C>
inline void for_each_tile_of(const GemmArgs& args, std::int64_t first, std::int64_t last, C* c) {
  constexpr std::int64_t kGroup = rows_of(kPool), kMost = Kernel::kMr / kGroup;
  const auto* panel = static_cast<const std::int8_t*>(args.packed_w) + first * args.panel_k;
  const std::int64_t groups = args.m / kGroup, all_tiles = (groups + kMost - 1) / kMost;
  const std::int64_t panel_bytes = Kernel::kNr * args.panel_k;
  const std::int64_t fetch = bytes_to_fetch(args, panel_bytes, all_tiles);
  for (std::int64_t j = first; j < last; j += Kernel::kNr, panel += panel_bytes) {
    const std::int64_t columns = last - j < Kernel::kNr ? last - j : Kernel::kNr;
    const std::int8_t* next = j + Kernel::kNr < args.n
                                  ? panel + panel_bytes
                                  : static_cast<const std::int8_t*>(args.next_w);
    // Fetching a line that is there costs next to nothing.
    const std::int64_t next_step = next == nullptr ? 0 : fetch;
    if (next == nullptr) next = panel;
    std::int64_t tiles = all_tiles;
    for (std::int64_t i = 0; i < groups; --tiles) {
      const std::int64_t count = (groups - i + tiles - 1) / tiles;
      const std::int64_t fetched = (all_tiles - tiles) * panel_bytes / all_tiles;
      const Tile tile{
          args, i * kGroup, panel, j, columns, next_step == 0 ? next : next + fetched, next_step};
      run_rows<Kernel, kPool, kMost * kGroup>(count * kGroup, tile, c);
      i += count;
    }
  }
}

// The columns [first, last) of c; first is a multiple of kNr. Kernel has constants kMr >= 4, kNr
// and a template run<Rows, kPool>(tile, c) for C = uint8_t and int32_t.
template <class Kernel>
inline void for_each_tile(const GemmArgs& args, std::int64_t first, std::int64_t last,
                          std::int32_t* c) {
  for_each_tile_of<Kernel, Pool::kNone>(args, first, last, c);
}

template <class Kernel>
inline void for_each_tile(const GemmArgs& args, std::int64_t first, std::int64_t last,
                          std::uint8_t* c) {
  switch (args.pool) {
    case Pool::kNone:
      return for_each_tile_of<Kernel, Pool::kNone>(args, first, last, c);
    case Pool::kRows4:
      return for_each_tile_of<Kernel, Pool::kRows4>(args, first, last, c);
    case Pool::kFolded:
      return for_each_tile_of<Kernel, Pool::kFolded>(args, first, last, c);
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

// The dot products of a tile over all runs, for kernels that take four activations of each row at a
// time: Kernel::multiply_add<Rows>(acc, a, w) with a(r) row r's four.
template <class Kernel, int Rows, class Accumulators>
[[gnu::always_inline]] inline void multiply_runs(Accumulators& acc, const Tile& tile) {
  const std::uint8_t* anchors[Rows];
#pragma GCC unroll 12
  for (int r = 0; r < Rows; ++r) anchors[r] = tile.a(r);
  // Runs' last activations, fewer than four, come first: between the loops GCC would spill. Their
  // words go through memory, because moving them between registers takes more of those. Where a
  // whole word may be read they are no exception.
  const std::int64_t more = tile.args.tails_readable ? 3 : 0;
  for (std::int64_t q = 0; more == 0 && q < tile.args.run_count; ++q) {
    const TapRun& run = tile.args.runs[q];
    const std::int64_t tail = run.count % 4, whole = run.count - tail;
    if (tail == 0) continue;
    std::int32_t words[Rows];
    for (int r = 0; r < Rows; ++r) words[r] = load_tail(anchors[r] + run.source + whole, tail);
    asm volatile("" : "+m"(words));
    Kernel::template multiply_add<Rows>(
        acc, [&](int r) { return words[r]; }, tile.panel + (run.weight + whole) * Kernel::kNr);
  }
  // Taller tiles have an address in every register already.
  constexpr bool kFetch = Kernel::kMr <= 6;
  [[maybe_unused]] const std::int8_t* next = tile.next;
  const auto fetch = [&]() __attribute__((always_inline)) {
    if constexpr (kFetch) {
      __builtin_prefetch(next, 0, 2);  // into L2
      if (Kernel::kNr >= 64) __builtin_prefetch(next + 64, 0, 2);
      next += tile.next_step;
    }
  };
  // A single row has too few accumulators to keep the multipliers busy while each waits for its
  // last product; sums of integers may be taken in any order.
  constexpr int kChains = Rows == 1 ? Kernel::kChains : 1;
  [[maybe_unused]] Accumulators chains[kChains];
  if constexpr (kChains > 1) {
#pragma GCC unroll 4
    for (int i = 1; i < kChains; ++i) Kernel::clear(chains[i]);
  }
  for (std::int64_t q = 0; q < tile.args.run_count; ++q) {
    const std::int8_t* w = tile.panel + tile.args.runs[q].weight * Kernel::kNr;
    std::int64_t at = tile.args.runs[q].source;
    const std::int64_t end = at + (tile.args.runs[q].count + more) / 4 * 4;
    if constexpr (kChains > 1) {  // bound by reading weights: no room for fetching others
      for (; at + 4 * kChains <= end; at += 4 * kChains, w += 4 * kChains * Kernel::kNr) {
#pragma GCC unroll 4
        for (int i = 0; i < kChains; ++i) {
          Kernel::template multiply_add<Rows>(
              i == 0 ? acc : chains[i], [&](int r) { return load_4(anchors[r] + at + 4 * i); },
              w + 4 * i * Kernel::kNr);
        }
      }
    }
    for (; at < end; at += 4, w += 4 * Kernel::kNr) {
      fetch();
      Kernel::template multiply_add<Rows>(
          acc, [&](int r) { return load_4(anchors[r] + at); }, w);
    }
  }
  if constexpr (kChains > 1) {
#pragma GCC unroll 4
    for (int i = 1; i < kChains; ++i) Kernel::add(acc, chains[i]);
  }
}

}  // namespace
}  // namespace octet::kernels
