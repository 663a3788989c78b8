#include "onnx/graph_writer.h"

#include <type_traits>

#include "base/error.h"
#include "ir/graph_json.h"

namespace octet {
namespace {

template <class T>
constexpr pb::TensorProto::DataType type_of() {
  if constexpr (std::is_same_v<T, float>) return pb::TensorProto::FLOAT;
  if constexpr (std::is_same_v<T, std::int8_t>) return pb::TensorProto::INT8;
  if constexpr (std::is_same_v<T, std::uint8_t>) return pb::TensorProto::UINT8;
  if constexpr (std::is_same_v<T, std::int32_t>) return pb::TensorProto::INT32;
}

void describe(pb::ValueInfoProto& value, const std::string& name, pb::TensorProto::DataType type,
              const std::vector<std::int64_t>& dims) {
  value.set_name(name);
  pb::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape()->add_dim()->set_dim_param("N");
  for (const std::int64_t dim : dims) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
}

pb::AttributeProto& attribute(pb::NodeProto& node, const char* name,
                              pb::AttributeProto::AttributeType type) {
  pb::AttributeProto& a = *node.add_attribute();
  a.set_name(name);
  a.set_type(type);
  return a;
}

}  // namespace

GraphWriter::GraphWriter(const OnnxInfo& info) {
  model_.set_ir_version(7);
  model_.set_producer_name("octet");
  model_.set_producer_version(info.producer_version);
  pb::OperatorSetIdProto& opset = *model_.add_opset_import();
  opset.set_domain("");
  opset.set_version(kOnnxOpset);
  model_.mutable_graph()->set_name(info.model.empty() ? "octet" : info.model);
  if (!info.model.empty()) metadata("model", info.model);
  if (!info.dataset.empty()) metadata("dataset", info.dataset);
  if (!info.class_names.empty()) metadata("class_names", ir::strings_to_json(info.class_names));
}

void GraphWriter::input(const std::string& name, pb::TensorProto::DataType type,
                        const std::vector<std::int64_t>& dims) {
  describe(*model_.mutable_graph()->add_input(), name, type, dims);
}

void GraphWriter::output(const std::string& name, pb::TensorProto::DataType type,
                         const std::vector<std::int64_t>& dims) {
  describe(*model_.mutable_graph()->add_output(), name, type, dims);
}

pb::NodeProto& GraphWriter::node(const std::string& op, const std::string& name,
                                 const std::vector<std::string>& inputs,
                                 const std::string& output) {
  pb::NodeProto& n = *model_.mutable_graph()->add_node();
  n.set_op_type(op);
  n.set_name(name);
  for (const std::string& input : inputs) n.add_input(input);
  n.add_output(output);
  return n;
}

template <class T>
std::string GraphWriter::constant(const std::string& name, const Shape& shape,
                                  const std::vector<T>& elements) {
  OCTET_CHECK(static_cast<std::int64_t>(elements.size()) == shape.numel(), "[", name, "] has ",
              elements.size(), " elements for shape ", shape);
  pb::TensorProto& t = *model_.mutable_graph()->add_initializer();
  t.set_name(name);
  t.set_data_type(type_of<T>());
  for (const std::int64_t dim : shape.dims()) t.add_dims(dim);
  t.set_raw_data(elements.data(), elements.size() * sizeof(T));
  return name;
}
template std::string GraphWriter::constant(const std::string&, const Shape&,
                                           const std::vector<float>&);
template std::string GraphWriter::constant(const std::string&, const Shape&,
                                           const std::vector<std::int8_t>&);
template std::string GraphWriter::constant(const std::string&, const Shape&,
                                           const std::vector<std::uint8_t>&);
template std::string GraphWriter::constant(const std::string&, const Shape&,
                                           const std::vector<std::int32_t>&);

void GraphWriter::metadata(const std::string& key, const std::string& value) {
  pb::StringStringEntryProto& entry = *model_.add_metadata_props();
  entry.set_key(key);
  entry.set_value(value);
}

std::vector<std::byte> GraphWriter::finish() const {
  const std::size_t size = model_.ByteSizeLong();
  OCTET_CHECK(size < (std::size_t{1} << 31), "the model needs ", size,
              " bytes; an ONNX file without external data holds less than 2 GiB");
  std::vector<std::byte> bytes(size);
  OCTET_CHECK(model_.SerializeToArray(bytes.data(), static_cast<int>(size)),
              "the ONNX model could not be serialized");
  return bytes;
}

void set_int(pb::NodeProto& node, const char* name, std::int64_t value) {
  attribute(node, name, pb::AttributeProto::INT).set_i(value);
}

void set_ints(pb::NodeProto& node, const char* name, const std::vector<std::int64_t>& values) {
  pb::AttributeProto& a = attribute(node, name, pb::AttributeProto::INTS);
  for (const std::int64_t value : values) a.add_ints(value);
}

void set_float(pb::NodeProto& node, const char* name, float value) {
  attribute(node, name, pb::AttributeProto::FLOAT).set_f(value);
}

}  // namespace octet
