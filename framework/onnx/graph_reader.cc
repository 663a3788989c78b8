#include "onnx/graph_reader.h"

#include <set>

#include "file/foreign_format.h"
#include "file/printable.h"

namespace octet {
namespace {

// Of nodes: some checks look at all those before one.
constexpr int kMaxNodes = 1 << 14;
constexpr std::int64_t kOldestOpset = 7, kNewestOpset = 27;

void check_opset(OnnxGraph& g) {
  for (const pb::OperatorSetIdProto& opset : g.model.opset_import()) {
    if (!opset.domain().empty() && opset.domain() != "ai.onnx") continue;
    OCTET_CHECK(g.opset == 0 || g.opset == opset.version(), "says that it uses opset ", g.opset,
                ", and also ", opset.version());
    g.opset = opset.version();
  }
  OCTET_CHECK(g.opset >= kOldestOpset && g.opset <= kNewestOpset, "uses opset ", g.opset,
              "; supported are ", kOldestOpset, " to ", kNewestOpset);
}

void read_input(OnnxGraph& g) {
  const pb::GraphProto& graph = g.model.graph();
  const pb::ValueInfoProto* input = nullptr;
  for (const pb::ValueInfoProto& value : graph.input()) {
    if (g.constants.count(value.name()) > 0) continue;  // IR version 3 lists initializers too
    OCTET_CHECK(input == nullptr, "has several inputs, \"", printable(input->name()), "\" and \"",
                printable(value.name()), "\"; a model takes one, the images");
    input = &value;
  }
  OCTET_CHECK(input != nullptr, "has no input");
  g.input = input->name();
  const pb::TypeProto::Tensor& type = input->type().tensor_type();
  g.input_type = static_cast<pb::TensorProto::DataType>(type.elem_type());
  for (const auto& dim : type.shape().dim()) {
    const bool known = dim.value_case() == pb::TensorShapeProto::Dimension::kDimValue;
    // Some exporters write -1 for "any".
    OCTET_CHECK(!known || dim.dim_value() >= -1, "has an input with the dimension ",
                dim.dim_value());
    g.input_dims.push_back(known ? dim.dim_value() : -1);
  }
}

void read_constants(OnnxGraph& g) {
  const pb::GraphProto& graph = g.model.graph();
  OCTET_CHECK(graph.sparse_initializer_size() == 0, "has sparse initializers");
  for (const pb::TensorProto& tensor : graph.initializer()) {
    try {
      OCTET_CHECK(!tensor.name().empty(), "has no name");
      OCTET_CHECK(g.constants.emplace(tensor.name(), read_constant(tensor)).second,
                  "is there twice");
    } catch (const Error& error) {
      throw Error(message("initializer \"", printable(tensor.name()), "\" ", error.what()));
    }
  }
}

void check_node(const OnnxNode& node) {
  const pb::NodeProto& n = node.proto();
  node.require(n.domain().empty() || n.domain() == "ai.onnx", "is an op of the domain \"",
               printable(n.domain()), "\"; only ONNX's own ops are supported");
  std::set<std::string> names;
  for (const pb::AttributeProto& a : n.attribute()) {
    node.require(names.insert(a.name()).second, "has the attribute \"", printable(a.name()),
                 "\" twice");
    node.require(!a.has_g() && a.graphs_size() == 0,
                 "has a subgraph; control flow is not supported");
    node.require(a.ref_attr_name().empty(), "refers to a function's attribute");
  }
}

// Every input is made before it is read: no cycles, nothing dangling.
void check_order(OnnxGraph& g) {
  std::map<std::string, const OnnxNode*> makers;
  for (const OnnxNode& node : g.nodes) {
    for (const std::string& output : node.proto().output()) {
      if (output.empty()) continue;
      const bool is_new = g.constants.count(output) == 0 && output != g.input &&
                          makers.emplace(output, &node).second;
      node.require(is_new, "makes \"", printable(output), "\", which is made before");
    }
  }
  std::set<std::string> made{g.input};
  for (const auto& [name, constant] : g.constants) made.insert(name);
  for (const OnnxNode& node : g.nodes) {
    for (const std::string& input : node.proto().input()) {
      if (input.empty()) continue;
      ++g.readers[input];
      if (made.count(input) > 0) continue;
      const auto maker = makers.find(input);
      node.require(maker != makers.end(), "reads \"", printable(input), "\", which nothing makes");
      node.fail("reads \"", printable(input), "\", which ", maker->second->what(),
                " makes only later: the graph has a cycle, or its nodes are not in order");
    }
    for (const std::string& output : node.proto().output()) made.insert(output);
  }
  OCTET_CHECK(made.count(g.output) > 0, "has the output \"", printable(g.output),
              "\", which nothing makes");
  ++g.readers[g.output];
}

}  // namespace

OnnxNode::OnnxNode(const pb::NodeProto& node, std::size_t index) : node_(&node), index_(index) {}

std::string OnnxNode::what() const {
  const std::string name = node_->name().empty() ? message("node ", index_) : node_->name();
  return message("[", printable(name), "] ", printable(op()));
}

std::string OnnxNode::layer_name() const {
  std::string name;
  for (const char c : printable(node_->name())) name += c == '/' || c == ' ' || c == ':' ? '.' : c;
  const std::size_t first = name.find_first_not_of('.');
  if (first == std::string::npos) return message(printable(op()), "_", index_);
  return name.substr(first);
}

std::string OnnxNode::input(std::size_t i) const {
  return i < inputs() ? node_->input(static_cast<int>(i)) : std::string();
}

const std::string& OnnxNode::output() const {
  require(node_->output_size() > 0 && !node_->output(0).empty(), "has no output");
  return node_->output(0);
}

const pb::AttributeProto* OnnxNode::attribute(const char* name) const {
  for (const pb::AttributeProto& a : node_->attribute()) {
    if (a.name() == name) return &a;
  }
  return nullptr;
}

std::int64_t OnnxNode::integer(const char* name, std::int64_t otherwise) const {
  const pb::AttributeProto* a = attribute(name);
  if (a == nullptr) return otherwise;
  require(a->type() == pb::AttributeProto::INT, "has an attribute ", name, " that is no integer");
  return a->i();
}

std::vector<std::int64_t> OnnxNode::integers(const char* name,
                                             std::vector<std::int64_t> otherwise) const {
  const pb::AttributeProto* a = attribute(name);
  if (a == nullptr) return otherwise;
  require(a->type() == pb::AttributeProto::INTS, "has an attribute ", name,
          " that is no list of integers");
  return {a->ints().begin(), a->ints().end()};
}

float OnnxNode::real(const char* name, float otherwise) const {
  const pb::AttributeProto* a = attribute(name);
  if (a == nullptr) return otherwise;
  require(a->type() == pb::AttributeProto::FLOAT, "has an attribute ", name, " that is no float");
  return a->f();
}

std::string OnnxNode::text(const char* name, const std::string& otherwise) const {
  const pb::AttributeProto* a = attribute(name);
  if (a == nullptr) return otherwise;
  require(a->type() == pb::AttributeProto::STRING, "has an attribute ", name, " that is no text");
  return a->s();
}

OnnxGraph read_onnx_graph(std::span<const std::byte> bytes) {
  OnnxGraph g;
  OCTET_CHECK(!bytes.empty() && bytes.size() < (std::size_t{1} << 31), "has ", bytes.size(),
              " bytes; an ONNX file has more than 0 and less than 2 GiB");
  OCTET_CHECK(g.model.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size())),
              "is not an ONNX file, or is truncated", foreign_hint(bytes));
  OCTET_CHECK(g.model.has_graph() && g.model.graph().node_size() > 0,
              "is not an ONNX model: it has no graph", foreign_hint(bytes));
  check_opset(g);
  OCTET_CHECK(g.model.graph().node_size() <= kMaxNodes, "has ", g.model.graph().node_size(),
              " nodes; at most ", kMaxNodes, " are supported");
  OCTET_CHECK(g.model.functions_size() == 0, "has local functions; export without them");
  read_constants(g);
  read_input(g);
  const pb::GraphProto& graph = g.model.graph();
  OCTET_CHECK(graph.output_size() == 1, "has ", graph.output_size(),
              " outputs; a model has one, the logits");
  g.output = graph.output(0).name();
  for (int i = 0; i < graph.node_size(); ++i) {
    g.nodes.emplace_back(graph.node(i), static_cast<std::size_t>(i));
    check_node(g.nodes.back());
  }
  check_order(g);
  return g;
}

}  // namespace octet
