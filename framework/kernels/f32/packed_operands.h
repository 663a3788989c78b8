#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

// The two operands of a weight gradient's products as a register tile of a narrow instruction set
// wants them: in the maps themselves a pixel's few values are followed by hundreds of others, so
// that the lines of a tile's pixels fall onto the same sets of the caches.
namespace octet::kernels {

// The row operand, matrix [pixels, rows]: [tiles][pixels][rows of the tile], 6 rows and in the last
// tile what is left.
struct PackedRows {
  static constexpr std::int64_t kTile = 6;

  // Whole cache lines, an odd number of them: tiles that are written side by side do not share
  // sets.
  static constexpr std::int64_t tile_floats(std::int64_t pixels) {
    return ((pixels * kTile + 15) / 16 | 1) * 16;
  }
  static constexpr std::int64_t floats(std::int64_t pixels, std::int64_t rows) {
    return (rows + kTile - 1) / kTile * tile_floats(pixels);
  }

  // Pixels [0, count) of `from`, `stride` floats from one to the next, become pixels [at, at +
  // count).
  static void pack(const float* from, std::ptrdiff_t stride, std::int64_t rows, std::int64_t at,
                   std::int64_t count, std::int64_t pixels, float* to) {
    const std::int64_t whole = rows / kTile, rest = rows % kTile, tile = tile_floats(pixels);
    for (std::int64_t pixel = 0; pixel < count; ++pixel, from += stride) {
      float* out = to + (at + pixel) * kTile;
      for (std::int64_t t = 0; t < whole; ++t) {
        std::memcpy(out + t * tile, from + t * kTile, kTile * sizeof(float));
      }
      float* last = to + whole * tile + (at + pixel) * rest;
      for (std::int64_t i = 0; i < rest; ++i) last[i] = from[whole * kTile + i];
    }
  }
};

// The vector operand, matrix [pixels, columns]: [panels][pixels][16]; of the last panel's columns
// those that are there.
struct PackedPanels {
  static constexpr std::int64_t kColumns = 16;

  static constexpr std::int64_t panel_floats(std::int64_t pixels) {
    return (pixels + 1) * kColumns;
  }
  static constexpr std::int64_t floats(std::int64_t pixels, std::int64_t columns) {
    return (columns + kColumns - 1) / kColumns * panel_floats(pixels);
  }

  static void pack(const float* from, std::ptrdiff_t stride, std::int64_t columns,
                   std::int64_t pixels, float* to) {
    const std::int64_t whole = columns / kColumns, rest = columns % kColumns;
    const std::int64_t panel = panel_floats(pixels);
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel, from += stride, to += kColumns) {
      for (std::int64_t p = 0; p < whole; ++p) {
        std::memcpy(to + p * panel, from + p * kColumns, kColumns * sizeof(float));
      }
      for (std::int64_t i = 0; i < rest; ++i) to[whole * panel + i] = from[whole * kColumns + i];
    }
  }
};

}  // namespace octet::kernels
