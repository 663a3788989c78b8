#pragma once

#include <cstdint>

namespace octet::kernels {

// What the first op of a graph does: real or raw input to codes.

// codes[i, c] = table[pixels[i, c], c].
//   pixels, codes: [count, c] u8, which may be the same memory      table: [256, c]
void apply_table_u8(const std::uint8_t* pixels, std::int64_t count, std::int64_t c,
                    const std::uint8_t* table, std::uint8_t* codes);

// codes[i] = quantize_one(x[i], 1 / scale, zero_point, {0, 255}) for i in [0, count), eq. (2).
void quantize_u8(const float* x, std::int64_t count, float scale, std::int32_t zero_point,
                 std::uint8_t* codes);

}  // namespace octet::kernels
