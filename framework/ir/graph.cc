#include "ir/graph.h"

#include <utility>

#include "base/error.h"
#include "ir/op_names.h"

namespace octet::ir {

const char* op_name(const Op& op) { return kOpNames[op.index()]; }

ValueId Graph::add_value(Value value) {
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size()) - 1;
}

void Graph::add_node(std::string name, Op op, std::vector<ValueId> inputs, ValueId result) {
  nodes.push_back({std::move(name), std::move(op), std::move(inputs), result});
}

const Constant& Graph::constant(const Node& node, const std::string& role) const {
  const auto it = constants.find(node.name + "." + role);
  OCTET_CHECK(it != constants.end(), "[", node.name, "] ", op_name(node.op), " has no constant \"",
              role, "\"; convert the model again");
  return it->second;
}

void Graph::add_constant_bytes(std::string name, DType dtype, Shape shape,
                               std::span<const std::byte> bytes) {
  const std::size_t expected = static_cast<std::size_t>(shape.numel()) * size_of(dtype);
  OCTET_CHECK(bytes.size() == expected, "[", name, "] a constant of shape ", shape, " has ",
              expected, " bytes, got ", bytes.size());
  OCTET_CHECK(constants.count(name) == 0, "[", name, "] the graph has this constant already");
  constants[std::move(name)] = {dtype, std::move(shape), {bytes.begin(), bytes.end()}};
}

}  // namespace octet::ir
