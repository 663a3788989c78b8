#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"

namespace octet {

// The JSON header of a safetensors file, as it stands there: offsets are not checked yet.
struct TensorHeader {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct Header {
  std::map<std::string, std::string> metadata;
  std::vector<TensorHeader> tensors;  // in the order of the JSON
};

// Throws Error on anything but {"__metadata__": {string: string}, name: {"dtype": string, "shape":
// [unsigned], "data_offsets": [unsigned, unsigned]}}: unknown, missing or duplicate keys, other
// types, deeper nesting, control characters in names.
Header parse_header(std::string_view json);

}  // namespace octet
