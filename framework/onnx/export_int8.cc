#include <algorithm>
#include <cstdlib>
#include <map>
#include <span>

#include "base/error.h"
#include "base/float_environment.h"
#include "ir/op_names.h"
#include "onnx/export.h"
#include "onnx/graph_writer.h"
#include "onnx/layout.h"

namespace octet {
namespace {

// The symmetric parameters of an activation, with zero point 0 on int8 codes.
float symmetric_scale(QParams q) {
  if (q.zero_point == 128) return q.scale;
  const int reach = std::max(255 - q.zero_point, q.zero_point);
  return q.scale * static_cast<float>(reach) / 127.0f;
}

template <class T>
std::vector<T> to_vector(std::span<const T> x) {
  return {x.begin(), x.end()};
}

std::vector<std::int64_t> onnx_dims(const Shape& s) {
  return s.rank() == 3 ? std::vector<std::int64_t>{s[2], s[0], s[1]} : s.dims();
}

class Int8Exporter {
 public:
  Int8Exporter(const ir::Graph& graph, OnnxPreset preset, const OnnxInfo& info)
      : graph_(graph), symmetric_(preset == OnnxPreset::kTensorRt), writer_(info) {}

  std::vector<std::byte> run() {
    writer_.metadata("preset", symmetric_ ? "tensorrt" : "qdq");
    add_input();
    for (const ir::Node& node : graph_.nodes) {
      node_ = &node;
      std::visit([this](const auto& op) { lower(op); }, node.op);
    }
    writer_.output(logits_name(), kFloat, onnx_dims(graph_.value(graph_.output).shape));
    return writer_.finish();
  }

 private:
  const ir::Value& in(std::size_t i = 0) const { return graph_.value(node_->inputs[i]); }
  const ir::Value& out() const { return graph_.value(node_->output); }
  template <class T>
  std::span<const T> constant(const char* role) const {
    return graph_.constant(*node_, role).as<T>();
  }

  // "logits", unless a layer within the model has that name.
  std::string logits_name() const {
    for (const ir::Value& value : graph_.values) {
      if (value.name == "logits" && &value != &graph_.value(graph_.output)) return "logits/real";
    }
    return "logits";
  }

  void add_input() {
    const ir::Value& input = graph_.value(graph_.input);
    if (!symmetric_ && input.dtype == DType::kU8) {
      writer_.input(input.name, pb::TensorProto::UINT8, onnx_dims(input.shape));
      return;
    }
    writer_.input("image", kFloat, onnx_dims(input.shape));
    // Pixels that are codes themselves have no op which would quantize them.
    const bool first_op_quantizes = input.dtype == DType::kF32 ||
                                    std::holds_alternative<ir::InputTable>(graph_.nodes.front().op);
    if (!first_op_quantizes) quantize("image", input);
  }

  // --- Values

  // Appends QuantizeLinear: real numbers to the codes of `value`, a tensor of its name.
  void quantize(const std::string& real, const ir::Value& value) {
    writer_.node("QuantizeLinear", value.name + "/quantize",
                 {real, scale_of(value), zero_point_of(value)}, value.name);
  }

  // The real numbers of an input; one DequantizeLinear for all its readers.
  std::string real(const ir::Value& value) {
    const std::string name = value.name + "/dequantized";
    if (dequantized_.emplace(value.name, name).second) {
      writer_.node("DequantizeLinear", value.name + "/dequantize",
                   {value.name, scale_of(value), zero_point_of(value)}, name);
    }
    return name;
  }

  // Scalars, each written once. Values that share parameters share the initializers: consumers see
  // that no requantization stands between them.
  std::string scale_of(const ir::Value& value) {
    const float scale = symmetric_ ? symmetric_scale(value.qparams) : value.qparams.scale;
    const auto [it, is_new] = scales_.emplace(scale, value.name + "/scale");
    if (is_new) writer_.constant<float>(it->second, {}, {scale});
    return it->second;
  }
  std::string zero_point_of(const ir::Value& value) {
    const int zero_point = symmetric_ ? 0 : value.qparams.zero_point;
    const auto [it, is_new] = zero_points_.emplace(zero_point, value.name + "/zero_point");
    if (!is_new) return it->second;
    if (symmetric_) {
      writer_.constant<std::int8_t>(it->second, {}, {0});
    } else {
      writer_.constant<std::uint8_t>(it->second, {}, {static_cast<std::uint8_t>(zero_point)});
    }
    return it->second;
  }

  std::string float_name() const { return node_->name + "/real"; }

  // From the real result to codes. A ReLU that the codes' own range expresses is written as Relu,
  // which consumers know to drop; any other clamp stands on the codes, where it is exact.
  void finish(std::string result, std::int32_t clamp_min, std::int32_t clamp_max) {
    const QParams q = out().qparams;
    if (symmetric_) return finish_symmetric(std::move(result), clamp_min, clamp_max);
    if (q.zero_point == 0 && clamp_min == 0) result = relu(result);
    if (clamp_min == 0 && clamp_max == 255) return quantize(result, out());
    const std::string wide = node_->name + "/unclamped";
    writer_.node("QuantizeLinear", node_->name + "/quantize",
                 {result, scale_of(out()), zero_point_of(out())}, wide);
    const auto bound = [&](const char* name, std::int32_t code) {
      return writer_.constant<std::uint8_t>(node_->name + name, {},
                                            {static_cast<std::uint8_t>(code)});
    };
    const std::string low = bound("/clamp_min", clamp_min), high = bound("/clamp_max", clamp_max);
    writer_.node("Clip", node_->name + "/clamp", {wide, low, high}, out().name);
  }

  void finish_symmetric(std::string result, std::int32_t clamp_min, std::int32_t clamp_max) {
    const QParams q = out().qparams;
    if (clamp_min == q.zero_point) result = relu(result);
    const bool cuts_low = clamp_min != 0 && clamp_min != q.zero_point;
    if (cuts_low || clamp_max != 255) {
      const std::string low =
          writer_.constant<float>(node_->name + "/clamp_min", {}, {dequantize_one(clamp_min, q)});
      const std::string high =
          writer_.constant<float>(node_->name + "/clamp_max", {}, {dequantize_one(clamp_max, q)});
      const std::string clamped = node_->name + "/clamped";
      writer_.node("Clip", node_->name + "/clamp", {result, low, high}, clamped);
      result = clamped;
    }
    quantize(result, out());
  }

  std::string relu(const std::string& x) {
    const std::string y = node_->name + "/relu";
    writer_.node("Relu", y, {x}, y);
    return y;
  }

  // --- Layers with weights

  // int8 weights of any shape whose axis 0 is the output channel.
  std::string weight(const Shape& shape, const std::vector<std::int8_t>& codes) {
    const std::int64_t channels = shape[0];
    const std::string name = node_->name + "/weight";
    writer_.constant(name + "_codes", shape, codes);
    writer_.constant(name + "_scale", {channels}, to_vector(constant<float>("weight_scale")));
    writer_.constant(name + "_zero_point", {channels},
                     std::vector<std::int8_t>(static_cast<std::size_t>(channels), 0));
    set_int(writer_.node("DequantizeLinear", name + "_dequantize",
                         {name + "_codes", name + "_scale", name + "_zero_point"}, name),
            "axis", 0);
    return name;
  }

  // int32 at scale S_x S_w[c], in float32: the product that consumers compute and compare with.
  std::string bias() {
    const std::string name = node_->name + "/bias";
    const auto codes = constant<std::int32_t>("bias");
    const auto weight_scale = constant<float>("weight_scale");
    const float input_scale = in().qparams.scale;
    const Shape channels{static_cast<std::int64_t>(codes.size())};
    std::vector<float> scale, real_bias;
    for (std::size_t c = 0; c < codes.size(); ++c) {
      scale.push_back(input_scale * weight_scale[c]);
      real_bias.push_back(
          static_cast<float>(codes[c] * (double{input_scale} * double{weight_scale[c]})));
    }
    if (symmetric_) return writer_.constant(name, channels, real_bias);
    writer_.constant(name + "_codes", channels, to_vector(codes));
    writer_.constant(name + "_scale", channels, scale);
    set_int(writer_.node("DequantizeLinear", name + "_dequantize",
                         {name + "_codes", name + "_scale"}, name),
            "axis", 0);
    return name;
  }

  void lower(const ir::QConv2d& op) {
    const Shape& s = graph_.constant(*node_, "weight").shape;
    const std::string w =
        weight(channels_first_shape(s), channels_first(constant<std::int8_t>("weight"), s));
    const std::string b = bias();
    pb::NodeProto& conv = writer_.node("Conv", node_->name, {real(in()), w, b}, float_name());
    set_ints(conv, "kernel_shape", {s[1], s[2]});
    set_ints(conv, "strides", {op.stride, op.stride});
    set_ints(conv, "pads", {op.padding, op.padding, op.padding, op.padding});
    set_int(conv, "group", op.groups);
    finish(float_name(), op.clamp_min, op.clamp_max);
  }

  void lower(const ir::QLinear& op) {
    const Shape& s = graph_.constant(*node_, "weight").shape;
    std::vector<std::int8_t> codes = to_vector(constant<std::int8_t>("weight"));
    const auto map = flattened_.find(in().name);
    if (map != flattened_.end()) {
      const Shape& from = map->second;
      codes = channels_first(std::span<const std::int8_t>(codes), s[0], from[0] * from[1], from[2]);
    }
    const std::string w = weight(s, codes), b = bias();
    const bool logits = out().dtype == DType::kI32;
    const std::string result = logits ? logits_name() : float_name();
    set_int(writer_.node("Gemm", node_->name, {real(in()), w, b}, result), "transB", 1);
    if (!logits) finish(result, op.clamp_min, op.clamp_max);
  }

  // --- Layers without

  void lower(const ir::QAdd& op) {
    if (node_->inputs.size() == 1) {  // from one scale to another
      return finish_rescaled(real(in()), op.clamp_min, op.clamp_max);
    }
    const std::string a = real(in(0)), b = real(in(1));
    writer_.node("Add", node_->name, {a, b}, float_name());
    finish(float_name(), op.clamp_min, op.clamp_max);
  }

  void finish_rescaled(const std::string& result, std::int32_t clamp_min, std::int32_t clamp_max) {
    if (clamp_min == 0 && clamp_max == 255) return quantize(result, out());
    finish(result, clamp_min, clamp_max);
  }

  // The windows of a pool; for a window of the whole map it is the global pool.
  void pool(const char* op, std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t stride,
            std::int64_t padding) {
    pb::NodeProto& node = writer_.node(op, node_->name, {real(in())}, float_name());
    set_ints(node, "kernel_shape", {kernel_h, kernel_w});
    set_ints(node, "strides", {stride, stride});
    set_ints(node, "pads", {padding, padding, padding, padding});
    if (std::string_view(op) == "AveragePool") set_int(node, "count_include_pad", 1);
    quantize(float_name(), out());
  }

  void lower(const ir::MaxPool2d& op) {
    pool("MaxPool", op.kernel, op.kernel, op.stride, op.padding);
  }

  void lower(const ir::AvgPool2d& op) {
    const Shape& map = in().shape;
    if (op.padding != 0 || op.kernel_h != map[0] || op.kernel_w != map[1]) {
      return pool("AveragePool", op.kernel_h, op.kernel_w, op.stride, op.padding);
    }
    writer_.node("GlobalAveragePool", node_->name, {real(in())}, float_name());
    quantize(float_name(), out());
  }

  void lower(const ir::Concat&) {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < node_->inputs.size(); ++i) parts.push_back(real(in(i)));
    set_int(writer_.node("Concat", node_->name, parts, float_name()), "axis", 1);
    quantize(float_name(), out());
  }

  // ONNX flattens channels first. Linear layers take that up in the order of their columns; for
  // any other reader the map is transposed before.
  void lower(const ir::Flatten&) {
    const Shape& map = in().shape;
    std::string x = real(in());
    if (map.rank() == 3 && map[0] * map[1] > 1 && map[2] > 1) {
      if (only_linear_layers_read(node_->output)) {
        flattened_[out().name] = map;
      } else {
        const std::string turned = node_->name + "/channels_last";
        set_ints(writer_.node("Transpose", turned, {x}, turned), "perm", {0, 2, 3, 1});
        x = turned;
      }
    }
    set_int(writer_.node("Flatten", node_->name, {x}, float_name()), "axis", 1);
    quantize(float_name(), out());
  }

  bool only_linear_layers_read(ir::ValueId id) const {
    return std::all_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const ir::Node& reader) {
      return std::find(reader.inputs.begin(), reader.inputs.end(), id) == reader.inputs.end() ||
             std::holds_alternative<ir::QLinear>(reader.op);
    });
  }

  // The table of 256 codes per channel, as a Gather. The symmetric form takes real numbers instead.
  void lower(const ir::InputTable&) {
    if (symmetric_) return quantize("image", out());
    const std::int64_t channels = graph_.constant(*node_, "table").shape[1];
    const std::string table =
        writer_.constant(node_->name + "/table", {256 * channels},
                         channels_first(constant<std::uint8_t>("table"), 1, 256, channels));
    std::string index = node_->name + "/index";
    set_int(writer_.node("Cast", index, {in().name}, index), "to", pb::TensorProto::INT32);
    if (channels > 1) {
      std::vector<std::int32_t> first;
      for (std::int64_t c = 0; c < channels; ++c)
        first.push_back(static_cast<std::int32_t>(256 * c));
      const std::string offsets =
          writer_.constant(node_->name + "/channel", {channels, 1, 1}, first);
      const std::string sum = node_->name + "/channel_index";
      writer_.node("Add", sum, {index, offsets}, sum);
      index = sum;
    }
    set_int(writer_.node("Gather", node_->name, {table, index}, out().name), "axis", 0);
  }

  void lower(const ir::Quantize&) { quantize("image", out()); }

  const ir::Graph& graph_;
  const bool symmetric_;
  GraphWriter writer_;
  const ir::Node* node_ = nullptr;                  // that is being written
  std::map<std::string, std::string> dequantized_;  // by the value's name
  std::map<float, std::string> scales_;
  std::map<int, std::string> zero_points_;
  std::map<std::string, Shape> flattened_;  // values in ONNX's order, and the maps they were
};

}  // namespace

std::vector<std::byte> export_onnx(const ir::Graph& graph, OnnxPreset preset, OnnxInfo info) {
  const FloatEnvironment environment;
  info.model = graph.model;
  info.dataset = graph.dataset;
  info.class_names = graph.class_names;
  return Int8Exporter(graph, preset, info).run();
}

int count_rescaled(const ir::Graph& graph) {
  int count = 0;
  for (const ir::Value& value : graph.values) {
    const bool pixels = value.dtype != DType::kU8 || value.qparams == QParams{};
    count += !pixels && value.qparams.zero_point != 128 ? 1 : 0;
  }
  return count;
}

}  // namespace octet
