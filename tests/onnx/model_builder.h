#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/shape.h"

namespace octet::testing {

// ONNX models written node by node, right ones and broken ones. Nodes are named "<op>_<index>";
// the input is "image" [N, C, H, W], the output "logits".
class ModelBuilder {
 public:
  // A node, for attributes.
  class Node {
   public:
    explicit Node(::onnx::NodeProto& node) : node_(node) {}
    Node& integer(const char* name, std::int64_t value) {
      auto& a = attribute(name, ::onnx::AttributeProto::INT);
      a.set_i(value);
      return *this;
    }
    Node& real(const char* name, float value) {
      auto& a = attribute(name, ::onnx::AttributeProto::FLOAT);
      a.set_f(value);
      return *this;
    }
    Node& ints(const char* name, const std::vector<std::int64_t>& values) {
      auto& a = attribute(name, ::onnx::AttributeProto::INTS);
      for (const std::int64_t v : values) a.add_ints(v);
      return *this;
    }

   private:
    ::onnx::AttributeProto& attribute(const char* name,
                                      ::onnx::AttributeProto::AttributeType type) {
      auto& a = *node_.add_attribute();
      a.set_name(name);
      a.set_type(type);
      return a;
    }
    ::onnx::NodeProto& node_;
  };

  explicit ModelBuilder(const std::vector<std::int64_t>& channels_first) {
    model_.set_ir_version(7);
    model_.add_opset_import()->set_version(13);
    auto& input = *model_.mutable_graph()->add_input();
    input.set_name("image");
    auto& tensor = *input.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(::onnx::TensorProto::FLOAT);
    tensor.mutable_shape()->add_dim()->set_dim_param("N");
    for (const std::int64_t dim : channels_first) {
      tensor.mutable_shape()->add_dim()->set_dim_value(dim);
    }
    model_.mutable_graph()->add_output()->set_name("logits");
  }

  Node node(const std::string& op, const std::vector<std::string>& inputs,
            const std::string& output) {
    auto& n = *model_.mutable_graph()->add_node();
    n.set_op_type(op);
    n.set_name(op + "_" + std::to_string(model_.graph().node_size() - 1));
    for (const std::string& input : inputs) n.add_input(input);
    n.add_output(output);
    return Node(n);
  }

  // Initializers; one of a name that is there is replaced.
  ModelBuilder& real(const std::string& name, const Shape& shape, float value) {
    return tensor(name, shape, ::onnx::TensorProto::FLOAT,
                  std::vector<float>(static_cast<std::size_t>(shape.numel()), value));
  }
  ModelBuilder& scalar(const std::string& name, float value) { return real(name, {}, value); }
  ModelBuilder& int8(const std::string& name, const Shape& shape,
                     const std::vector<std::int8_t>& codes) {
    return tensor(name, shape, ::onnx::TensorProto::INT8, codes);
  }
  ModelBuilder& uint8(const std::string& name, const Shape& shape,
                      const std::vector<std::uint8_t>& codes) {
    return tensor(name, shape, ::onnx::TensorProto::UINT8, codes);
  }

  ::onnx::NodeProto& at(int i) { return *model_.mutable_graph()->mutable_node(i); }
  Node edit(int i) { return Node(at(i)); }
  ::onnx::ModelProto& model() { return model_; }

  std::vector<std::byte> bytes() const {
    const std::string text = model_.SerializeAsString();
    std::vector<std::byte> b(text.size());
    std::memcpy(b.data(), text.data(), text.size());
    return b;
  }

 private:
  template <class T>
  ModelBuilder& tensor(const std::string& name, const Shape& shape,
                       ::onnx::TensorProto::DataType type, const std::vector<T>& values) {
    ::onnx::TensorProto* t = nullptr;
    for (auto& existing : *model_.mutable_graph()->mutable_initializer()) {
      if (existing.name() == name) t = &existing;
    }
    if (t == nullptr) t = model_.mutable_graph()->add_initializer();
    t->Clear();
    t->set_name(name);
    t->set_data_type(type);
    for (const std::int64_t dim : shape.dims()) t->add_dims(dim);
    t->set_raw_data(values.data(), values.size() * sizeof(T));
    return *this;
  }

  ::onnx::ModelProto model_;
};

}  // namespace octet::testing
