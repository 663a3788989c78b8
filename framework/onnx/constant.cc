#include "onnx/constant.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "file/checked.h"
#include "file/printable.h"

namespace octet {
namespace {

using Type = pb::TensorProto;

std::string type_name(int type) {
  return pb::TensorProto::DataType_IsValid(type)
             ? pb::TensorProto::DataType_Name(static_cast<pb::TensorProto::DataType>(type))
             : message("type ", type);
}

// Elements from raw bytes (little-endian) or from one of the message's typed lists.
template <class T, class Out, class List>
void decode(const pb::TensorProto& t, const List& list, std::uint64_t count,
            std::vector<Out>& out) {
  const std::string& raw = t.raw_data();
  const bool has_raw = t.has_raw_data();
  const std::uint64_t have =
      has_raw ? raw.size() / sizeof(T) : static_cast<std::uint64_t>(list.size());
  OCTET_CHECK(have == count && (!has_raw || raw.size() % sizeof(T) == 0), "has data for ", have,
              " elements, its shape has ", count);
  out.resize(static_cast<std::size_t>(count));
  if (!has_raw) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto value = list[static_cast<int>(i)];  // int8 and uint8 come in int32
      out[i] = static_cast<Out>(value);
      if constexpr (std::is_integral_v<T>) {
        OCTET_CHECK(std::int64_t{value} == std::int64_t{static_cast<T>(value)}, "has the element ",
                    value, ", which its type cannot hold");
      }
    }
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<Out>(value);
  }
}

// Index of the scale that element i has.
struct ScaleIndex {
  std::int64_t inner = 1, count = 1;
  ScaleIndex(const std::vector<std::int64_t>& dims, const Grid& grid) {
    if (grid.scale.size() == 1) return;
    const auto rank = static_cast<std::int64_t>(dims.size());
    const std::int64_t axis = grid.axis < 0 ? grid.axis + rank : grid.axis;
    OCTET_CHECK(axis >= 0 && axis < rank, "has axis ", grid.axis, " for a tensor of rank ", rank);
    count = dims[static_cast<std::size_t>(axis)];
    OCTET_CHECK(static_cast<std::int64_t>(grid.scale.size()) == count, "has ", grid.scale.size(),
                " scales for ", count, " channels");
    // Where one extent is 0, the product of others may be of any size.
    OCTET_CHECK(std::find(dims.begin(), dims.end(), 0) == dims.end(), "has no elements");
    for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < dims.size(); ++i) inner *= dims[i];
  }
  std::size_t of(std::size_t i) const {
    return static_cast<std::size_t>(static_cast<std::int64_t>(i) / inner % count);
  }
};

}  // namespace

std::int64_t Constant::numel() const {
  return static_cast<std::int64_t>(is_real() ? reals.size() : integers.size());
}

Constant read_constant(const pb::TensorProto& t) {
  OCTET_CHECK(t.data_location() != pb::TensorProto::EXTERNAL && t.external_data_size() == 0,
              "keeps its data in another file; external data is not read. Save the model as one "
              "file (torch.onnx.export(..., external_data=False))");
  OCTET_CHECK(!t.has_segment(), "is a segment of a tensor");
  std::uint64_t count = 1;
  Constant c;
  for (const std::int64_t dim : t.dims()) {
    OCTET_CHECK(dim >= 0, "has a negative dimension ", dim);
    count = checked_mul(count, static_cast<std::uint64_t>(dim), "its number of elements");
    c.dims.push_back(dim);
  }
  c.name = t.name();
  OCTET_CHECK(Type::DataType_IsValid(t.data_type()), "has the unknown element type ",
              t.data_type());
  c.type = static_cast<pb::TensorProto::DataType>(t.data_type());
  switch (c.type) {
    case Type::FLOAT:
      decode<float>(t, t.float_data(), count, c.reals);
      break;
    case Type::INT8:
      decode<std::int8_t>(t, t.int32_data(), count, c.integers);
      break;
    case Type::UINT8:
      decode<std::uint8_t>(t, t.int32_data(), count, c.integers);
      break;
    case Type::INT32:
      decode<std::int32_t>(t, t.int32_data(), count, c.integers);
      break;
    case Type::INT64:
      decode<std::int64_t>(t, t.int64_data(), count, c.integers);
      break;
    case Type::BOOL:
      decode<std::uint8_t>(t, t.int32_data(), count, c.integers);
      break;
    default:
      throw Error(message("has elements of type ", type_name(t.data_type()),
                          "; float32, int8, uint8, int32, int64 and bool are supported"));
  }
  for (const float x : c.reals) {
    OCTET_CHECK(std::isfinite(x), "has an element that is not finite");
  }
  return c;
}

Constant quantize_constant(const Constant& real, const Grid& grid) {
  const bool is_signed = grid.type == Type::INT8;
  const std::int64_t low = is_signed ? -128 : 0, high = is_signed ? 127 : 255;
  const ScaleIndex index(real.dims, grid);
  Constant codes{.type = grid.type,
                 .dims = real.dims,
                 .reals = {},
                 .integers = {},
                 .name = real.name,
                 .scale = {},
                 .axis = 0,
                 .asymmetry = {}};
  for (std::size_t i = 0; i < real.reals.size(); ++i) {
    const std::size_t c = index.of(i);
    const double x = std::nearbyint(real.reals[i] / grid.scale[c]);  // the default: half to even
    const double code = x + static_cast<double>(grid.zero_point[c]);
    codes.integers.push_back(static_cast<std::int64_t>(
        std::clamp(code, static_cast<double>(low), static_cast<double>(high))));
  }
  return codes;
}

Constant dequantize_constant(const Constant& codes, const Grid& grid) {
  const bool is_byte = codes.type == Type::INT8 || codes.type == Type::UINT8;
  const std::int64_t symmetric = codes.type == Type::UINT8 ? 128 : 0;
  const ScaleIndex index(codes.dims, grid);
  Constant real{.type = Type::FLOAT,
                .dims = codes.dims,
                .reals = {},
                .integers = {},
                .name = codes.name,
                .scale = is_byte ? grid.scale : std::vector<float>{},
                .axis = grid.axis,
                .asymmetry = {}};
  for (const std::int64_t zero_point : grid.zero_point) {
    if (zero_point == symmetric) continue;
    real.asymmetry = message(type_name(codes.type), " with zero point ", zero_point);
  }
  for (std::size_t i = 0; i < codes.integers.size(); ++i) {
    const std::size_t c = index.of(i);
    real.reals.push_back(static_cast<float>(codes.integers[i] - grid.zero_point[c]) *
                         grid.scale[c]);
  }
  return real;
}

}  // namespace octet
