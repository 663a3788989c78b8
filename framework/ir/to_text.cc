#include <sstream>
#include <string>

#include "base/classic_locale.h"
#include "base/error.h"
#include "base/float_environment.h"
#include "ir/graph.h"
#include "ir/op_names.h"

namespace octet::ir {
namespace {

std::string qparams_text(const Value& value) {
  if (value.dtype == DType::kF32) return "";
  return message("scale ", value.qparams.scale, " zero_point ", value.qparams.zero_point);
}

std::string clamp_text(std::int32_t low, std::int32_t high) {
  return low == 0 && high == 255 ? "" : message("clamp [", low, ", ", high, "] ");
}

// What an op has beside its shapes.
std::string details(const Graph& graph, const Node& node) {
  return std::visit(Overloaded{
                        [](const InputTable&) { return std::string(); },
                        [](const Quantize&) { return std::string(); },
                        [&](const QConv2d& op) {
                          const auto weight = graph.constants.find(node.name + ".weight");
                          std::string text;
                          if (weight != graph.constants.end() && weight->second.shape.rank() == 4) {
                            text =
                                message(weight->second.shape[1], "x", weight->second.shape[2], " ");
                          }
                          text += message("stride ", op.stride, " padding ", op.padding, " ");
                          if (op.groups != 1) text += message("groups ", op.groups, " ");
                          return text + clamp_text(op.clamp_min, op.clamp_max);
                        },
                        [](const QLinear& op) { return clamp_text(op.clamp_min, op.clamp_max); },
                        [](const QAdd& op) { return clamp_text(op.clamp_min, op.clamp_max); },
                        [](const MaxPool2d& op) {
                          return message(op.kernel, "x", op.kernel, " stride ", op.stride,
                                         " padding ", op.padding, " ");
                        },
                        [](const AvgPool2d& op) {
                          return message(op.kernel_h, "x", op.kernel_w, " stride ", op.stride,
                                         " padding ", op.padding, " ");
                        },
                        [](const Concat&) { return std::string(); },
                        [](const Flatten&) { return std::string(); },
                    },
                    node.op);
}

}  // namespace

std::string to_text(const Graph& graph) {
  const FloatEnvironment environment;
  ClassicStream out;
  std::size_t bytes = 0;
  for (const auto& [name, constant] : graph.constants) bytes += constant.bytes.size();
  const Value& input = graph.value(graph.input);
  out << graph.model << " for " << graph.dataset << ": " << graph.nodes.size() << " nodes, "
      << bytes << " bytes of constants\n";
  out << input.name << ": " << name_of(input.dtype) << " " << input.shape << " "
      << qparams_text(input) << "\n";
  for (const Node& node : graph.nodes) {
    const Value& y = graph.value(node.output);
    out << node.name << ": " << op_name(node.op) << "(";
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      out << (i > 0 ? ", " : "") << graph.value(node.inputs[i]).name;
    }
    out << ") -> " << y.name << " " << name_of(y.dtype) << " " << y.shape << " "
        << details(graph, node) << qparams_text(y) << "\n";
  }
  return out.str();
}

}  // namespace octet::ir
