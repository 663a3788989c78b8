#include "kernels/u8s8/input.h"

#include "kernels/qspec.h"

namespace octet::kernels {

void apply_table_u8(const std::uint8_t* pixels, std::int64_t count, std::int64_t c,
                    const std::uint8_t* table, std::uint8_t* codes) {
  for (std::int64_t i = 0; i < count; ++i, pixels += c, codes += c) {
    for (std::int64_t k = 0; k < c; ++k) codes[k] = table[pixels[k] * c + k];
  }
}

void quantize_u8(const float* x, std::int64_t count, float scale, std::int32_t zero_point,
                 std::uint8_t* codes) {
  const float inv_scale = 1.0f / scale;
  for (std::int64_t i = 0; i < count; ++i) {
    codes[i] =
        static_cast<std::uint8_t>(quantize_one(x[i], inv_scale, zero_point, kActivationRange));
  }
}

}  // namespace octet::kernels
