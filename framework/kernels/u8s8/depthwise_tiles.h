#pragma once

#include "kernels/u8s8/gemm_args.h"

// The loops around the tiles of a depthwise convolution (depthwise.h), shared by the vector
// kernels. Internal to the including file, as gemm_tiles.h is.
namespace octet::kernels {
namespace {

// The rows [row, row + Rows) and the channels [first, first + channels); channels is below a
// vector's only in the last tile.
struct DepthwiseTile {
  const GemmArgs& args;
  std::int64_t row, first, channels;
  bool complete;  // no group lacks a tap

  const std::uint8_t* a(int r) const { return args.a + args.a_rows[row + r] + first; }
};

// Instead of a tap that is not in the list; Code: the activation that adds nothing.
template <std::uint8_t Code>
struct Absent {
  alignas(64) std::uint8_t codes[64];
  constexpr Absent() : codes() {
    for (std::uint8_t& code : codes) code = Code;
  }
};

// Where the tile's first channel of a tap is.
//   kComplete: DepthwiseTile::complete
template <bool kComplete, std::uint8_t Code = 0>
[[gnu::always_inline]] inline const std::uint8_t* at_tap(const std::uint8_t* anchor,
                                                         const TapRun& tap) {
  static constexpr Absent<Code> kAbsent;
  if (kComplete) return anchor + tap.source;
  const std::uint8_t* at = tap.count != 0 ? anchor + tap.source : kAbsent.codes;
  asm volatile("" : "+r"(at));  // Clang would choose addresses in vectors, and spill
  return at;
}

// Kernel has a constant kChannels and a template run<Rows, kWhole>(tile, c), kWhole: the tile has
// kChannels channels.
template <class Kernel, int Rows>
inline void for_each_channel(const GemmArgs& args, std::int64_t row, bool complete,
                             std::uint8_t* c) {
  std::int64_t first = 0;
  for (; first + Kernel::kChannels <= args.n; first += Kernel::kChannels) {
    Kernel::template run<Rows, true>({args, row, first, Kernel::kChannels, complete}, c);
  }
  if (first < args.n) {
    Kernel::template run<Rows, false>({args, row, first, args.n - first, complete}, c);
  }
}

// Rows by rows, each time all channels: so activations are read in the order of memory, and weights
// are few enough to stay in the nearest cache.
template <class Kernel>
inline void for_each_depthwise_tile(const GemmArgs& args, std::uint8_t* c) {
  bool complete = true;
  for (std::int64_t q = 0; q < args.run_count; ++q) complete &= args.runs[q].count != 0;
  std::int64_t row = 0;
  for (; row + 4 <= args.m; row += 4) for_each_channel<Kernel, 4>(args, row, complete, c);
  for (; row + 2 <= args.m; row += 2) for_each_channel<Kernel, 2>(args, row, complete, c);
  if (row < args.m) for_each_channel<Kernel, 1>(args, row, complete, c);
}

}  // namespace
}  // namespace octet::kernels
