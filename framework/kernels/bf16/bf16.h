#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

// The arithmetic of bfloat16 training, written once: what the instructions VCVTNEPS2BF16 and
// VDPBF16PS compute, in plain C++.
//   Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 2, "VCVTNEPS2BF16" and
//   "VDPBF16PS", sections Description and Operation.
// Both take denormal inputs as zero and make denormal results zero, keep the sign of either, round
// to nearest even and ignore MXCSR. NaN stays NaN; which NaN is not part of the contract.
namespace octet::kernels {

// float32 to bfloat16, the upper half of a float32.
inline std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu, sign = bits & 0x80000000u;
  if (magnitude < 0x00800000u) return static_cast<std::uint16_t>(sign >> 16);
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

inline float from_bf16(std::uint16_t value) {
  return std::bit_cast<float>(std::uint32_t{value} << 16);
}

// Two bfloat16 that are multiplied with two others: `even`, the pair's element 0, in the lower
// half. In memory the elements follow each other. A pair takes the place of a float32: what only
// moves operands of products serves both (kernels/bf16/conv2d.h).
inline float bf16_pair(std::uint16_t even, std::uint16_t odd) {
  return std::bit_cast<float>(std::uint32_t{odd} << 16 | even);
}

// Zero for a denormal.
inline float without_denormal(float value) {
  return std::fabs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value;
}

// a * b + acc, rounded once. Whether a result is denormal is decided after rounding it to 24 bits,
// as everywhere on x86 (the manual's vol. 1, 4.9.1.5): what comes to 2^-126 only on the coarser
// grid of the denormals is one of them.
//   a, b: bfloat16 as float32
inline float bf16_multiply_add(float a, float b, float acc) {
  a = without_denormal(a);
  b = without_denormal(b);
  acc = without_denormal(acc);
  const float sum = std::fma(a, b, acc);
  const float magnitude = std::fabs(sum);
  if (magnitude > 0x1p-126f) return sum;
  // The product is exact, and the sum is near the limit: exact where it is close enough to matter.
  const double exact = std::fabs(double{a} * double{b} + double{acc});
  if (magnitude == 0x1p-126f && exact >= 0x1p-126 - 0x1p-151) return sum;
  return std::isnan(sum) ? sum : std::copysign(0.0f, sum);
}

// acc + a[1] b[1] + a[0] b[0], in this order and each rounded: VDPBF16PS of one lane.
inline float bf16_dot(float acc, float a, float b) {
  const auto even = [](float pair) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(pair) << 16);
  };
  const auto odd = [](float pair) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(pair) & 0xFFFF0000u);
  };
  return bf16_multiply_add(even(a), even(b), bf16_multiply_add(odd(a), odd(b), acc));
}

}  // namespace octet::kernels
