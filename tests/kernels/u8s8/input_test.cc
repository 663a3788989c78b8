#include "kernels/u8s8/input.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace octet::kernels {

TEST_CASE("apply_table_u8: each channel has its own column of the table, also in place") {
  std::vector<std::uint8_t> table(256 * 3);
  for (int pixel = 0; pixel < 256; ++pixel) {
    for (int c = 0; c < 3; ++c) {
      table[static_cast<std::size_t>(pixel * 3 + c)] =
          static_cast<std::uint8_t>(c == 0   ? pixel
                                    : c == 1 ? 255 - pixel
                                             : pixel / 2);
    }
  }
  std::vector<std::uint8_t> pixels = {0, 0, 0, 255, 255, 255, 7, 8, 9};
  apply_table_u8(pixels.data(), 3, 3, table.data(), pixels.data());
  CHECK(pixels == std::vector<std::uint8_t>{0, 255, 0, 255, 0, 127, 7, 247, 4});
}

TEST_CASE("quantize_u8: rounds half up, clamps, and gives 0 for NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {0.0f,     0.25f,    0.24f,     -0.25f,       1000.0f,
                                -1000.0f, infinity, -infinity, std::nanf("")};
  std::vector<std::uint8_t> codes(x.size(), 77);
  quantize_u8(x.data(), static_cast<std::int64_t>(x.size()), 0.5f, 128, codes.data());
  CHECK(codes == std::vector<std::uint8_t>{128, 129, 128, 128, 255, 0, 255, 0, 0});
}

}  // namespace octet::kernels
