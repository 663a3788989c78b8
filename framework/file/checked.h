#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/dtype.h"
#include "base/error.h"
#include "base/shape.h"

namespace octet {

// Size arithmetic on numbers that come from a file: these functions, never bare operators. `what`
// names the quantity in the message. Throw Error when the result does not fit what can be
// addressed: 64 bits, or 32.
inline std::size_t checked_add(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::size_t sum = 0;
  OCTET_CHECK(!__builtin_add_overflow(a, b, &sum), what, " overflows: ", a, " + ", b);
  return sum;
}

inline std::size_t checked_mul(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::size_t product = 0;
  OCTET_CHECK(!__builtin_mul_overflow(a, b, &product), what, " overflows: ", a, " * ", b);
  return product;
}

// Bytes of a tensor. Throws Error when a dimension is negative or the product overflows.
inline std::size_t checked_size_bytes(const Shape& shape, DType dtype, std::string_view what) {
  return checked_mul(static_cast<std::uint64_t>(shape.numel()), size_of(dtype), what);
}

}  // namespace octet
