#pragma once

#include <cstdint>

#include "kernels/fixed_point.h"

namespace octet::kernels {

// y[i] = add_one(a[i], b[i], params, zero_point, clamp_min, clamp_max), eq. (12), for i in
// [0, count). Without b (nullptr), multiplier_b is 0 and a alone is requantized. y may be a or b.
// 0 <= clamp_min <= clamp_max <= 255.
struct AddArgs {
  std::int64_t count = 0;
  const std::uint8_t* a = nullptr;
  const std::uint8_t* b = nullptr;
  std::uint8_t* y = nullptr;
  AddParams params;
  std::int32_t zero_point = 0;
  std::int32_t clamp_min = 0;
  std::int32_t clamp_max = 255;
};

void add_u8(const AddArgs& args);

}  // namespace octet::kernels
