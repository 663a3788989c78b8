#pragma once

#include <cstdint>

// Weights as the matrix product wants them: w [n, k] with row stride k becomes its transpose [k,
// n], cut into panels of `columns` columns, a multiple of 16, as wide as the kernels' widest tile
// (F32Kernels::panel_columns): panel p is [k][width(p)] at packed + p * columns * k, the last one
// padded with zeros to 8 columns or a multiple of 16.
namespace octet::kernels {

constexpr std::int64_t kMaxPanelColumns = 64;

struct Panels {
  std::int64_t n, columns;

  constexpr std::int64_t count() const { return (n + columns - 1) / columns; }
  constexpr std::int64_t first(std::int64_t panel) const { return panel * columns; }
  // Columns of the matrix in it, and with the padding.
  constexpr std::int64_t used(std::int64_t panel) const {
    return n - first(panel) < columns ? n - first(panel) : columns;
  }
  constexpr std::int64_t width(std::int64_t panel) const {
    return used(panel) <= 8 ? 8 : (used(panel) + 15) / 16 * 16;
  }
  constexpr std::int64_t packed_floats(std::int64_t k) const {
    return k * (first(count() - 1) + width(count() - 1));
  }
};

// Room for the packed weights, whatever the width of the panels.
constexpr std::int64_t packed_room(std::int64_t n, std::int64_t k) {
  return Panels{n, kMaxPanelColumns}.packed_floats(k);
}

// Writes panels.packed_floats(k) floats.
void pack_transposed(const float* w, const Panels& panels, std::int64_t k, float* packed);

}  // namespace octet::kernels
