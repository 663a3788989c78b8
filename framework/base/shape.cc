#include "base/shape.h"

#include "base/error.h"

namespace octet {

std::int64_t Shape::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t dim : dims_) {
    OCTET_CHECK(dim >= 0 && !__builtin_mul_overflow(product, dim, &product), "shape ", *this,
                " has a negative dimension or too many elements");
  }
  return product;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (std::size_t i = 0; i < dims_.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(dims_[i]);
  }
  return text + "]";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << shape.to_string(); }

}  // namespace octet
