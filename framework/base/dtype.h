#pragma once

#include <cstddef>
#include <string_view>

namespace octet {

// Element types of tensors in memory and in files. Names are those of the safetensors format.
enum class DType { kF32, kF16, kBF16, kF64, kI8, kU8, kI16, kI32, kI64, kBool };

// Bytes of one element.
std::size_t size_of(DType dtype);

// "F32", "U8", ... as written in safetensors headers.
std::string_view name_of(DType dtype);

// The inverse of name_of. Throws Error for a name that is not known.
DType dtype_from_name(std::string_view name);

}  // namespace octet
