#pragma once

#include <cstdint>

// The integer half of qspec.h: what kernels need at run time. Included by files that are compiled
// for an instruction set, hence nothing here may leave a symbol behind: every function is always
// inlined, and nothing throws. Derivation and equation numbers: docs/quantization.md.
namespace octet {

// A real ratio R in fixed point: R = multiplier * 2^(shift - 32), eq. (8). Made by make_requant.
struct Requant {
  std::int32_t multiplier = 0;  // in [0, 2^31)
  std::int32_t shift = 0;       // 0 for R < 1/2, otherwise a left shift before the product; <= 30

  bool operator==(const Requant&) const = default;
};

// Residual add in fixed point, eq. (12): y = Z_y + ((a Ma + b Mb + offset + 2^(shift-1)) >> shift).
// Made by make_add_params.
struct AddParams {
  std::int32_t multiplier_a = 0;  // round(S_a / S_y 2^shift), in [0, 2^15)
  std::int32_t multiplier_b = 0;
  std::int32_t shift = 1;   // in [1, 20]
  std::int32_t offset = 0;  // -Z_a Ma - Z_b Mb

  bool operator==(const AddParams&) const = default;
};

[[gnu::always_inline]] inline std::int32_t clamp_to(std::int64_t value, std::int64_t low,
                                                    std::int64_t high) {
  return static_cast<std::int32_t>(value < low ? low : (value > high ? high : value));
}

// eq. (9): an int32 accumulator to a code, one 32x32 -> 64 bit product and one rounding, half up.
// With a shift the accumulator is first clamped to +-2^(30 - shift): what is cut off lies at least
// 2^28 codes outside the range, so the clamp never shows.
[[gnu::always_inline]] inline std::int32_t requantize_one(std::int32_t acc, Requant r,
                                                          std::int32_t zero_point,
                                                          std::int32_t clamp_min,
                                                          std::int32_t clamp_max) {
  std::int64_t t = acc;
  if (r.shift > 0) {
    const std::int64_t limit = std::int64_t{1} << (30 - r.shift);
    t = clamp_to(t, -limit, limit) * (std::int64_t{1} << r.shift);
  }
  const std::int64_t y = zero_point + ((t * r.multiplier + (std::int64_t{1} << 31)) >> 32);
  return clamp_to(y, clamp_min, clamp_max);
}

// eq. (10): the same ratio without the 8-bit clamp, for logits: 64-bit intermediates, saturated to
// int32.
[[gnu::always_inline]] inline std::int32_t requantize_to_s32(std::int32_t acc, Requant r) {
  const std::int64_t y =
      (std::int64_t{acc} * r.multiplier + (std::int64_t{1} << (31 - r.shift))) >> (32 - r.shift);
  return clamp_to(y, INT32_MIN, INT32_MAX);
}

// eq. (12), all in int32: with codes and zero points in [0, 255] and parameters from
// make_add_params every partial sum stays below 255 * 2 * 2^15 + 2^19 < 2^25, in any order.
[[gnu::always_inline]] inline std::int32_t add_one(std::int32_t a, std::int32_t b,
                                                   const AddParams& p, std::int32_t zero_point,
                                                   std::int32_t clamp_min, std::int32_t clamp_max) {
  const std::int32_t sum =
      a * p.multiplier_a + b * p.multiplier_b + p.offset + (1 << (p.shift - 1));
  const std::int32_t y = zero_point + (sum >> p.shift);
  return y < clamp_min ? clamp_min : (y > clamp_max ? clamp_max : y);
}

}  // namespace octet
