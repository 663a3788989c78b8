#pragma once

#include <doctest/doctest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

// ONNX files as tests look at them: through the standard's own classes and checker.
namespace octet::testing {

inline ::onnx::ModelProto parse(const std::vector<std::byte>& bytes) {
  ::onnx::ModelProto model;
  REQUIRE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return model;
}

// What the standard's checker says against a model; empty if nothing.
inline std::string complaint(const ::onnx::ModelProto& model) {
  try {
    ::onnx::checker::check_model(model);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

inline const ::onnx::NodeProto* maker(const ::onnx::GraphProto& graph, const std::string& value) {
  for (const ::onnx::NodeProto& node : graph.node()) {
    for (const std::string& output : node.output()) {
      if (output == value) return &node;
    }
  }
  return nullptr;
}

inline const ::onnx::TensorProto* initializer(const ::onnx::GraphProto& graph,
                                              const std::string& name) {
  for (const ::onnx::TensorProto& tensor : graph.initializer()) {
    if (tensor.name() == name) return &tensor;
  }
  return nullptr;
}

template <class T>
std::vector<T> elements(const ::onnx::TensorProto& tensor) {
  std::vector<T> values(tensor.raw_data().size() / sizeof(T));
  std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
  return values;
}

inline int count(const ::onnx::GraphProto& graph, const std::string& op) {
  int n = 0;
  for (const ::onnx::NodeProto& node : graph.node()) n += node.op_type() == op ? 1 : 0;
  return n;
}

}  // namespace octet::testing
