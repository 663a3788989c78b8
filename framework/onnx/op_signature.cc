#include "onnx/op_signature.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "file/printable.h"

namespace octet {
namespace {

constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();

// An op as it is from opset `since` on. Inputs and outputs at the end may be left out.
struct Signature {
  std::string_view op;
  std::int64_t since;
  std::size_t min_inputs, max_inputs, max_outputs;
  std::string_view attributes;  // words
};

// From the standard's operator documents (onnx.defs), opsets 7 to 27. A later line of an op
// replaces an earlier one.
constexpr Signature kSignatures[] = {
    {"Add", 7, 2, 2, 1, ""},
    {"AveragePool", 7, 1, 1, 1, "auto_pad count_include_pad kernel_shape pads strides"},
    {"AveragePool", 10, 1, 1, 1, "auto_pad ceil_mode count_include_pad kernel_shape pads strides"},
    {"AveragePool", 19, 1, 1, 1,
     "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides"},
    {"BatchNormalization", 7, 5, 5, 5, "epsilon momentum spatial"},
    {"BatchNormalization", 9, 5, 5, 5, "epsilon momentum"},
    {"BatchNormalization", 14, 5, 5, 3, "epsilon momentum training_mode"},
    {"Cast", 6, 1, 1, 1, "to"},
    {"Cast", 19, 1, 1, 1, "saturate to"},
    {"Cast", 24, 1, 1, 1, "round_mode saturate to"},
    {"Clip", 6, 1, 1, 1, "max min"},
    {"Clip", 11, 1, 3, 1, ""},
    {"Concat", 4, 1, kAny, 1, "axis"},
    {"Constant", 1, 0, 0, 1, "value"},
    {"Constant", 11, 0, 0, 1, "sparse_value value"},
    {"Constant", 12, 0, 0, 1,
     "sparse_value value value_float value_floats value_int value_ints value_string "
     "value_strings"},
    {"Conv", 1, 2, 3, 1, "auto_pad dilations group kernel_shape pads strides"},
    {"DequantizeLinear", 10, 2, 3, 1, ""},
    {"DequantizeLinear", 13, 2, 3, 1, "axis"},
    {"DequantizeLinear", 21, 2, 3, 1, "axis block_size"},
    {"DequantizeLinear", 23, 2, 3, 1, "axis block_size output_dtype"},
    {"Dropout", 7, 1, 1, 2, "ratio"},
    {"Dropout", 12, 1, 3, 2, "seed"},
    {"Flatten", 1, 1, 1, 1, "axis"},
    {"Gather", 1, 2, 2, 1, "axis"},
    {"Gemm", 7, 3, 3, 1, "alpha beta transA transB"},
    {"Gemm", 11, 2, 3, 1, "alpha beta transA transB"},
    {"GlobalAveragePool", 1, 1, 1, 1, ""},
    {"Identity", 1, 1, 1, 1, ""},
    {"LogSoftmax", 1, 1, 1, 1, "axis"},
    {"MatMul", 1, 2, 2, 1, ""},
    {"MaxPool", 1, 1, 1, 1, "auto_pad kernel_shape pads strides"},
    {"MaxPool", 8, 1, 1, 2, "auto_pad kernel_shape pads storage_order strides"},
    {"MaxPool", 10, 1, 1, 2,
     "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"},
    {"QuantizeLinear", 10, 2, 3, 1, ""},
    {"QuantizeLinear", 13, 2, 3, 1, "axis"},
    {"QuantizeLinear", 19, 2, 3, 1, "axis saturate"},
    {"QuantizeLinear", 21, 2, 3, 1, "axis block_size output_dtype saturate"},
    {"QuantizeLinear", 23, 2, 3, 1, "axis block_size output_dtype precision saturate"},
    {"ReduceMean", 1, 1, 1, 1, "axes keepdims"},
    {"ReduceMean", 18, 1, 2, 1, "keepdims noop_with_empty_axes"},
    {"Relu", 6, 1, 1, 1, ""},
    {"Reshape", 5, 2, 2, 1, ""},
    {"Reshape", 14, 2, 2, 1, "allowzero"},
    {"Shape", 1, 1, 1, 1, ""},
    {"Shape", 15, 1, 1, 1, "end start"},
    {"Softmax", 1, 1, 1, 1, "axis"},
    {"Squeeze", 1, 1, 1, 1, "axes"},
    {"Squeeze", 13, 1, 2, 1, ""},
    {"Sum", 6, 1, kAny, 1, ""},
    {"Unsqueeze", 1, 1, 1, 1, "axes"},
    {"Unsqueeze", 13, 2, 2, 1, ""},
};

const Signature* find(std::string_view op, std::int64_t opset) {
  const Signature* found = nullptr;
  for (const Signature& s : kSignatures) {
    if (s.op == op && s.since <= opset) found = &s;
  }
  return found;
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

}  // namespace

bool check_signature(const OnnxNode& node, std::int64_t opset) {
  const Signature* s = find(node.op(), opset);
  if (s == nullptr) return false;
  const auto outputs = static_cast<std::size_t>(node.proto().output_size());
  node.require(node.inputs() >= s->min_inputs && node.inputs() <= s->max_inputs, "has ",
               node.inputs(), " inputs, which it cannot have in opset ", opset);
  node.require(outputs <= s->max_outputs, "has ", outputs,
               " outputs, which it cannot have in opset ", opset);
  for (const pb::AttributeProto& a : node.proto().attribute()) {
    node.require(has_word(s->attributes, a.name()), "has an attribute \"", printable(a.name()),
                 "\", which it does not have in opset ", opset);
  }
  return true;
}

}  // namespace octet
