#pragma once

#include <cstdint>

// Weights as the matrix product wants them: w [n, k] with row stride k becomes its transpose [k,
// n], cut into panels of 64 columns: panel p is [k][panel_width(n, p)] at packed + p * 64 * k, the
// last one padded with zeros to 8 columns or a multiple of 16.
namespace octet::kernels {

constexpr std::int64_t kPanelColumns = 64;

constexpr std::int64_t panel_count(std::int64_t n) {
  return (n + kPanelColumns - 1) / kPanelColumns;
}
constexpr std::int64_t panel_width(std::int64_t n, std::int64_t panel) {
  const std::int64_t left = n - panel * kPanelColumns;
  return left >= kPanelColumns ? kPanelColumns : left <= 8 ? 8 : (left + 15) / 16 * 16;
}
constexpr std::int64_t packed_floats(std::int64_t n, std::int64_t k) {
  return k * (kPanelColumns * (panel_count(n) - 1) + panel_width(n, panel_count(n) - 1));
}

// Writes packed_floats(n, k) floats.
void pack_transposed(const float* w, std::int64_t n, std::int64_t k, float* packed);

}  // namespace octet::kernels
