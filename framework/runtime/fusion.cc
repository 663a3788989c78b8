#include "runtime/fusion.h"

namespace octet {

Fusion fuse_adds(const ir::Graph& graph) {
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
  Fusion fusion(graph.nodes.size());
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const ir::Node& node = graph.nodes[i];
    if (!std::holds_alternative<ir::QAdd>(node.op) || node.inputs.size() != 2) continue;
    NodeIndex last = -1;
    for (const ir::ValueId id : node.inputs) {
      const auto value = static_cast<std::size_t>(id);
      if (readers[value] == 1 && product[value] > last) last = product[value];
    }
    if (last < 0) continue;
    fusion.add_of[static_cast<std::size_t>(last)] = static_cast<NodeIndex>(i);
    fusion.product_of[i] = last;
  }
  return fusion;
}

}  // namespace octet
