#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/shape.h"
#include "kernels/qspec.h"
#include "onnx/export.h"
#include "onnx/proto.h"

namespace octet {

inline constexpr pb::TensorProto::DataType kFloat = pb::TensorProto::FLOAT;

// Builds an ONNX model node by node. Everything is written in the order of the calls: the same
// calls give the same bytes. Used by one thread at a time.
class GraphWriter {
 public:
  explicit GraphWriter(const OnnxInfo& info);

  // The graph's input and output, [N, dims...].
  void input(const std::string& name, pb::TensorProto::DataType type,
             const std::vector<std::int64_t>& dims);
  void output(const std::string& name, pb::TensorProto::DataType type,
              const std::vector<std::int64_t>& dims);

  // Appends a node with one output and returns it for its attributes.
  pb::NodeProto& node(const std::string& op, const std::string& name,
                      const std::vector<std::string>& inputs, const std::string& output);
  // Appends an initializer and returns its name. T: float, std::int8_t, std::uint8_t,
  // std::int32_t. A scalar has shape {}.
  template <class T>
  std::string constant(const std::string& name, const Shape& shape, const std::vector<T>& elements);

  void metadata(const std::string& key, const std::string& value);
  // The file's bytes. Throws Error if they do not fit the 2 GiB of a protobuf file.
  std::vector<std::byte> finish() const;

 private:
  pb::ModelProto model_;
};

void set_int(pb::NodeProto& node, const char* name, std::int64_t value);
void set_ints(pb::NodeProto& node, const char* name, const std::vector<std::int64_t>& values);
void set_float(pb::NodeProto& node, const char* name, float value);

}  // namespace octet
