#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"
#include "kernels/qspec.h"

// The integer graph: what `convert` emits, what the model file holds and what the Executor runs.
// Plain data, no execution. Shapes leave out the batch: images are [H, W, C], flat features [C].
namespace octet::ir {

using ValueId = std::int32_t;

// A tensor that flows between nodes. U8 codes carry `qparams`; I32 logits carry their common scale
// with zero_point 0; the graph input is U8 pixels (scale 1, zero_point 0) or, before Quantize, F32.
struct Value {
  std::string name;
  DType dtype = DType::kU8;
  Shape shape;
  QParams qparams;

  bool operator==(const Value&) const = default;
};

// A tensor stored in the file, raw little-endian bytes.
struct Constant {
  DType dtype = DType::kI8;
  Shape shape;
  std::vector<std::byte> bytes;

  // The elements, which must be of the type T. Memory of a vector is aligned for every T.
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  bool operator==(const Constant&) const = default;
};

// Ops. A node's constants are named "<node>.<role>"; the roles are listed at each op.

// u8 pixels -> codes: code = table[pixel, channel].      table: U8 [256, C]
struct InputTable {
  bool operator==(const InputTable&) const = default;
};

// float input -> codes with the output value's qparams.  no constants
struct Quantize {
  bool operator==(const Quantize&) const = default;
};

// weight: I8 [O, KH, KW, I / groups]
// bias: I32 [O], scale S_x S_w[c], the input's zero point NOT folded in
// weight_scale: F32 [O]
// multiplier: I32 [O], shift: I8 [O]    eq. (8) of requant_ratio(S_x, S_w[c], S_y)
struct QConv2d {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;
  std::int32_t clamp_min = 0;
  std::int32_t clamp_max = 255;

  bool operator==(const QConv2d&) const = default;
};

// Input [I]. weight: I8 [O, I]; the other constants as for QConv2d. Output U8, or I32 logits: eq.
// (10), no clamp.
struct QLinear {
  std::int32_t clamp_min = 0;
  std::int32_t clamp_max = 255;

  bool operator==(const QLinear&) const = default;
};

// eqs. (11), (12). One operand (b missing) requantizes a value; then b counts as QParams{0, 0} and
// multiplier_b = 0.  no constants
struct QAdd {
  AddParams params = {};
  std::int32_t clamp_min = 0;
  std::int32_t clamp_max = 255;

  bool operator==(const QAdd&) const = default;
};

// On the codes, padded with code 0; output has the input's qparams.  no constants
struct MaxPool2d {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t padding = 0;

  bool operator==(const MaxPool2d&) const = default;
};

// Windows of kernel_h x kernel_w, padded with real 0, which counts. acc = sum q - n Z_x,
// requantized by S_x / (S_y n) with n = kernel_h kernel_w, eq. (13). The window of a global average
// pool is the whole map.  no constants
struct AvgPool2d {
  std::int64_t kernel_h = 2;
  std::int64_t kernel_w = 2;
  std::int64_t stride = 2;
  std::int64_t padding = 0;
  Requant requant = {};

  bool operator==(const AvgPool2d&) const = default;
};

// Along channels; all inputs and the output have the same qparams.  no constants
struct Concat {
  bool operator==(const Concat&) const = default;
};

// [H, W, C] -> [H W C], the same bytes and qparams.  no constants
struct Flatten {
  bool operator==(const Flatten&) const = default;
};

using Op = std::variant<InputTable, Quantize, QConv2d, QLinear, QAdd, MaxPool2d, AvgPool2d, Concat,
                        Flatten>;

// "QConv2d": the name in files and messages.
const char* op_name(const Op& op);

struct Node {
  std::string name;  // the leaf's name in the model, e.g. "conv1"; of its inner ops "conv3.conv"
  Op op;
  std::vector<ValueId> inputs;
  ValueId output = -1;

  bool operator==(const Node&) const = default;
};

struct Graph {
  std::string model;                     // "lenet"
  std::string dataset;                   // "mnist"
  std::vector<std::string> class_names;  // index = class
  std::vector<Value> values;
  std::vector<Node> nodes;  // in execution order
  std::map<std::string, Constant> constants;
  ValueId input = -1;
  ValueId output = -1;  // the logits

  // Appends a value and returns its id.
  ValueId add_value(Value value);
  // Appends a node that produces `output`.
  void add_node(std::string name, Op op, std::vector<ValueId> inputs, ValueId output);
  // Stores elements as the constant "<node>.<role>".
  // T: std::int8_t, std::uint8_t, std::int32_t or float. Throws Error if the constant exists or the
  // number of elements is not the shape's.
  template <class T>
  void add_constant(const std::string& node, const std::string& role, Shape shape,
                    const std::vector<T>& elements) {
    add_constant_bytes(node + "." + role, dtype_of<T>(), std::move(shape),
                       std::as_bytes(std::span(elements)));
  }

  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  // Throws Error that names node and role if it is missing.
  const Constant& constant(const Node& node, const std::string& role) const;

  // Proves what the executor trusts: ids and execution order; names; dtypes and shapes of every
  // value and constant; finite, positive, normal scales and zero points in range; multipliers and
  // shifts that equal eq. (8) of the scales; nothing but integers between the input op and the
  // logits; and no accumulator that could overflow int32 for any input and any order of summation.
  // Throws Error that names the node.
  void validate() const;

  bool operator==(const Graph&) const = default;

 private:
  template <class T>
  static constexpr DType dtype_of() {
    if constexpr (std::is_same_v<T, std::int8_t>) return DType::kI8;
    if constexpr (std::is_same_v<T, std::uint8_t>) return DType::kU8;
    if constexpr (std::is_same_v<T, std::int32_t>) return DType::kI32;
    if constexpr (std::is_same_v<T, float>) return DType::kF32;
  }
  void add_constant_bytes(std::string name, DType dtype, Shape shape,
                          std::span<const std::byte> bytes);
};

// One line per node, for people: `eval --describe`, tests and messages.
std::string to_text(const Graph& graph);

}  // namespace octet::ir
