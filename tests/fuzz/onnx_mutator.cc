// For libFuzzer: changes an ONNX model as a message, so that its lengths stay right: bytes, text,
// or one of the edits that people make by mistake.
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

struct Silent final : google::protobuf::io::ErrorCollector {
  void AddError(int, int, const std::string&) override {}
  void AddWarning(int, int, const std::string&) override {}
};

bool mutate_text(onnx::ModelProto& model) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(model, &text);
  const std::size_t size = text.size();
  text.resize(size + 64);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
  Silent silent;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silent);
  parser.AllowPartialMessage(true);
  return parser.ParseFromString(text, &model);
}

class Editor {
 public:
  Editor(onnx::GraphProto& graph, unsigned seed) : g_(graph), random_(seed) {
    for (const auto& value : g_.input()) names_.push_back(value.name());
    for (const auto& tensor : g_.initializer()) names_.push_back(tensor.name());
    for (const auto& node : g_.node()) {
      for (const auto& output : node.output()) names_.push_back(output);
    }
    names_.emplace_back();
  }

  void edit() {
    static constexpr std::int64_t kExtents[] = {
        0, 1, 2, 3, -1, 1 << 20, 1 << 30, 1LL << 31, 1LL << 62, INT64_MAX, INT64_MIN};
    const int what = below(11);
    if (what < 7 && g_.node_size() > 0) {
      onnx::NodeProto& node = *g_.mutable_node(below(g_.node_size()));
      onnx::NodeProto& other = *g_.mutable_node(below(g_.node_size()));
      switch (what) {
        case 0:
          node.set_op_type(other.op_type());
          break;
        case 1:
          if (node.input_size() > 0) node.set_input(below(node.input_size()), pick(names_));
          break;
        case 2:
          node.add_input(pick(names_));
          break;
        case 3:
          g_.mutable_node()->DeleteSubrange(below(g_.node_size()), 1);
          break;
        case 4:
          node.Swap(&other);
          break;
        case 5:
          if (node.attribute_size() > 0)
            edit(*node.mutable_attribute(below(node.attribute_size())));
          break;
        default:
          if (other.attribute_size() > 0) {
            *node.add_attribute() = other.attribute(below(other.attribute_size()));
          }
      }
    } else if (g_.initializer_size() > 0) {
      onnx::TensorProto& tensor = *g_.mutable_initializer(below(g_.initializer_size()));
      const onnx::TensorProto& other = g_.initializer(below(g_.initializer_size()));
      if (what == 7 && tensor.dims_size() > 0) {
        const std::int64_t extent = kExtents[below(std::size(kExtents))];
        tensor.set_dims(below(tensor.dims_size()), below(2) == 0 ? extent : below(20));
      } else if (what == 8) {
        const std::string name = tensor.name();
        tensor = onnx::TensorProto(other);
        tensor.set_name(name);
      } else if (what == 9) {
        std::string& raw = *tensor.mutable_raw_data();
        LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(raw.data()), raw.size(), raw.size());
      } else {
        // The same elements, in the list of another type.
        tensor.clear_raw_data();
        tensor.set_data_type(1 + below(8));
        std::int64_t count = 1;
        for (const std::int64_t dim : tensor.dims()) {
          count = std::min<std::int64_t>(count * std::clamp<std::int64_t>(dim, 0, 64), 64);
        }
        for (std::int64_t i = 0; i < count; ++i) {
          tensor.add_int32_data(static_cast<std::int32_t>(random_()));
          tensor.add_float_data(0.5f);
          tensor.add_int64_data(kExtents[below(std::size(kExtents))]);
        }
      }
    }
  }

 private:
  int below(std::size_t n) { return static_cast<int>(random_() % n); }
  int below(int n) { return below(static_cast<std::size_t>(std::max(n, 1))); }
  const std::string& pick(const std::vector<std::string>& from) {
    return from[static_cast<std::size_t>(below(from.size()))];
  }
  void edit(onnx::AttributeProto& a) {
    if (a.ints_size() > 0) a.set_ints(below(a.ints_size()), below(8) == 0 ? INT64_MAX : below(9));
    if (a.has_i()) a.set_i(below(8) == 0 ? INT64_MIN : below(9) - 2);
  }

  onnx::GraphProto& g_;
  std::minstd_rand random_;
  std::vector<std::string> names_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  onnx::ModelProto model;
  if (seed % 8 == 0 || !model.ParsePartialFromArray(data, static_cast<int>(size))) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  if (seed % 8 > 2 || !mutate_text(model)) {
    if (seed % 8 <= 2) model.ParsePartialFromArray(data, static_cast<int>(size));
    Editor editor(*model.mutable_graph(), seed);
    for (unsigned i = 0; i <= seed / 8 % 3; ++i) editor.edit();
  }
  std::string bytes;
  if (!model.SerializePartialToString(&bytes) || bytes.size() > max_size) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}
