#include "kernels/u8s8/add.h"

#include <cassert>

namespace octet::kernels {

void add_u8(const AddArgs& args) {
  assert(args.b != nullptr || args.params.multiplier_b == 0);
  // Locals: a write through y may change no field, and the compiler can vectorize.
  const AddParams params = args.params;
  const std::int32_t zero_point = args.zero_point;
  const std::int32_t low = args.clamp_min, high = args.clamp_max;
  const std::uint8_t* a = args.a;
  const std::uint8_t* b = args.b != nullptr ? args.b : args.a;
  std::uint8_t* y = args.y;
  for (std::int64_t i = 0; i < args.count; ++i) {
    y[i] = static_cast<std::uint8_t>(add_one(a[i], b[i], params, zero_point, low, high));
  }
}

}  // namespace octet::kernels
