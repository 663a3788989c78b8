#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "onnx/constant.h"
#include "onnx/proto.h"

namespace octet {

// One node of an ONNX graph, for reading. `what()` names it in messages: "[conv1] Conv".
class OnnxNode {
 public:
  OnnxNode(const pb::NodeProto& node, std::size_t index);

  const std::string& op() const { return node_->op_type(); }
  std::string what() const;
  // The node's name as a layer's name: no slashes, never empty.
  std::string layer_name() const;

  // Inputs that are given; an omitted optional input is "".
  std::size_t inputs() const { return static_cast<std::size_t>(node_->input_size()); }
  std::string input(std::size_t i) const;
  // The first output. Throws Error if there is none.
  const std::string& output() const;
  const pb::NodeProto& proto() const { return *node_; }

  // Attributes, or the default. Throw Error if the attribute has another type.
  std::int64_t integer(const char* name, std::int64_t otherwise) const;
  std::vector<std::int64_t> integers(const char* name, std::vector<std::int64_t> otherwise) const;
  float real(const char* name, float otherwise) const;
  std::string text(const char* name, const std::string& otherwise) const;
  const pb::AttributeProto* attribute(const char* name) const;  // null if there is none

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw Error(message(what(), " ", parts...));
  }
  template <class... Parts>
  void require(bool ok, const Parts&... parts) const {
    if (!ok) fail(parts...);
  }

 private:
  const pb::NodeProto* node_;
  std::size_t index_;
};

// An ONNX file, parsed and checked as a graph: one output, unique names, every input made before
// it is read, no external data, no subgraphs, no ops but those of the standard's default domain.
struct OnnxGraph {
  pb::ModelProto model;                       // owns what nodes point to
  std::vector<OnnxNode> nodes;                // in execution order
  std::map<std::string, Constant> constants;  // initializers
  std::map<std::string, int> readers;         // of each tensor; the graph's output is one
  std::int64_t opset = 0;
  std::string input, output;
  pb::TensorProto::DataType input_type = pb::TensorProto::FLOAT;
  std::vector<std::int64_t> input_dims;  // -1 where the file leaves it open
};

// Throws Error that names the node and the reason.
OnnxGraph read_onnx_graph(std::span<const std::byte> bytes);

}  // namespace octet
