#include "runtime/fusion.h"

namespace octet {
namespace {

constexpr std::int64_t kPooledWeights = 64 * 1024;

bool pools_quarters(const ir::Node& node) {
  const auto* op = std::get_if<ir::MaxPool2d>(&node.op);
  return op != nullptr && op->kernel == 2 && op->stride == 2 && op->padding == 0;
}

}  // namespace

Fusion fuse(const ir::Graph& graph) {
  std::vector<int> readers(graph.values.size(), 0);
  std::vector<NodeIndex> product(graph.values.size(), -1);  // that makes the value
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const ir::Node& node = graph.nodes[i];
    for (const ir::ValueId id : node.inputs) ++readers[static_cast<std::size_t>(id)];
    if (std::holds_alternative<ir::QConv2d>(node.op) ||
        std::holds_alternative<ir::QLinear>(node.op)) {
      product[static_cast<std::size_t>(node.output)] = static_cast<NodeIndex>(i);
    }
  }
  const auto few_weights = [&](NodeIndex index) {
    const ir::Node& node = graph.nodes[static_cast<std::size_t>(index)];
    const auto* conv = std::get_if<ir::QConv2d>(&node.op);
    return conv != nullptr && conv->groups == 1 &&
           graph.constant(node, "weight").shape.numel() <= kPooledWeights;
  };
  Fusion fusion(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const ir::Node& node = graph.nodes[i];
    const bool add = std::holds_alternative<ir::QAdd>(node.op) && node.inputs.size() == 2;
    if (!add && !pools_quarters(node)) continue;
    NodeIndex last = -1;
    for (const ir::ValueId id : node.inputs) {
      const auto value = static_cast<std::size_t>(id);
      if (readers[value] == 1 && product[value] > last) last = product[value];
    }
    if (last < 0 || (!add && !few_weights(last))) continue;
    fusion.reader_of[static_cast<std::size_t>(last)] = static_cast<NodeIndex>(i);
    fusion.product_of[i] = last;
  }
  return fusion;
}

}  // namespace octet
