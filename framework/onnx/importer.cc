#include "onnx/importer.h"

#include <algorithm>

#include "file/printable.h"
#include "onnx/op_signature.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;
using Type = pb::TensorProto;

// How often each element of the file's tensors may be made again: quantized, dequantized, passed on
// and given to a layer, with room to spare.
constexpr std::int64_t kMakings = 8;

constexpr char kSupported[] =
    "Conv, BatchNormalization, Gemm, MatMul, Relu, Clip, Add, Sum, Concat, MaxPool, AveragePool, "
    "GlobalAveragePool, ReduceMean, Flatten, Reshape, Squeeze, QuantizeLinear, DequantizeLinear, "
    "Softmax at the end, Identity, Dropout and Cast";

bool passes_codes_on(const LayerSpec& s) {
  return s.kind == Kind::kMaxPool || s.kind == Kind::kFlatten;
}

}  // namespace

Importer::Importer(const OnnxGraph& graph, const Shape& image_shape)
    : graph_(graph), constants_(graph.constants) {
  for (const auto& [name, constant] : graph.constants) budget_ += kMakings * constant.numel();
  const std::vector<std::int64_t>& dims = graph.input_dims;
  OCTET_CHECK(dims.size() == 4, "has an input of rank ", dims.size(),
              "; a model takes images [N, C, H, W]");
  OCTET_CHECK(graph.input_type == Type::FLOAT || graph.input_type == Type::UINT8,
              "takes elements that are neither float32 nor uint8 pixels");
  for (const OnnxNode& node : graph.nodes) {
    node.require(node.op() != "Transpose" || node.input(0) != graph.input,
                 "turns the axes of the input, so images come as [N, H, W, C]; export the model so "
                 "that it takes them as [N, C, H, W] (tf2onnx: --inputs-as-nchw)");
  }
  std::vector<std::int64_t> image{dims[2], dims[3], dims[1]};
  for (int i = 0; i < 3; ++i) {
    std::int64_t& extent = image[static_cast<std::size_t>(i)];
    if (image_shape.rank() == 3 && extent < 0) extent = image_shape[i];
    OCTET_CHECK(extent > 0 && extent <= 1 << 20,
                "leaves the extents of its images open, or they are not positive; export it with "
                "fixed height, width and channels");
  }
  image_ = Shape(image);
  OCTET_CHECK(image_shape.rank() == 0 || image_ == image_shape, "takes images of shape ", image_,
              " (height, width, channels), the data has ", image_shape);
  Value input;
  input.shape = image_;
  if (graph.input_type == Type::UINT8) input.codes = Grid{};  // scale comes with the first DQ
  values_[graph.input] = input;
}

void Importer::run() {
  for (const OnnxNode& node : graph_.nodes) read(node);
  read_output();
  settle_quantization();
  for (const LayerSpec& layer : layers_) {
    OCTET_CHECK(layer.is_read, layer.node, " dangles: nothing reads what it computes");
  }
}

void Importer::read_output() {
  const auto result = values_.find(graph_.output);
  OCTET_CHECK(
      result != values_.end() && !result->second.codes && result->second.layer != kModelInput,
      "has the output \"", printable(graph_.output), "\", which no layer computes");
  const Value logits = result->second;
  OCTET_CHECK(logits.shape.rank() == 1, "gives ", logits.shape,
              " per image; a classifier gives one number per class");
  classes_ = logits.shape[0];
  const LayerSpec& last = layers_[static_cast<std::size_t>(logits.layer)];
  // Their own quantization is left out: it changes no class, but that it makes some equal.
  const bool is_made = last.kind == Kind::kLinear && last.act == Act::kNone && !last.is_read;
  if (!is_made) append_head(logits);
  layers_[is_made ? static_cast<std::size_t>(logits.layer) : layers_.size() - 1].is_read = true;
}

void Importer::read(const OnnxNode& node) {
  if (!check_signature(node, graph_.opset)) refuse_op(node);
  if (read_constant_node(node)) return;
  const std::string& op = node.op();
  if (op == "Conv") return read_conv(node);
  if (op == "BatchNormalization") return read_batch_norm(node);
  if (op == "Gemm") return read_gemm(node);
  if (op == "MatMul") return read_matmul(node);
  if (op == "Add" || op == "Sum") return read_add(node);
  if (op == "Concat") return read_concat(node);
  if (op == "Relu") return read_activation(node, Act::kRelu);
  if (op == "Clip") return read_clip(node);
  if (op == "Softmax" || op == "LogSoftmax") return read_softmax(node);
  if (op == "MaxPool") return read_max_pool(node);
  if (op == "AveragePool") return read_average_pool(node);
  if (op == "GlobalAveragePool") return read_global_average_pool(node);
  if (op == "ReduceMean") return read_reduce_mean(node);
  if (op == "Flatten") return read_flatten(node);
  if (op == "Reshape") return read_reshape(node);
  if (op == "Squeeze") return read_squeeze(node);
  if (op == "QuantizeLinear") return read_quantize(node);
  if (op == "DequantizeLinear") return read_dequantize(node);
  if (op == "Cast") return read_cast(node);
  if (op == "Dropout") return read_dropout(node);
  if (op == "Identity") return alias(node);
  if (op == "Shape") return read_shape(node);
  refuse_op(node);
}

void Importer::refuse_op(const OnnxNode& node) const {
  const std::string& op = node.op();
  const auto is_one_of = [&](std::initializer_list<const char*> ops) {
    return std::any_of(ops.begin(), ops.end(), [&](const char* name) { return op == name; });
  };
  std::string hint;
  if (op.rfind("QLinear", 0) == 0 || is_one_of({"ConvInteger", "MatMulInteger"})) {
    hint = "; quantize in QDQ form (QuantFormat.QDQ)";
  } else if (is_one_of({"HardSwish", "HardSigmoid", "Sigmoid", "Swish", "Tanh", "LeakyRelu",
                        "PRelu", "Elu", "Selu", "Celu", "Gelu", "Mish", "Softplus"})) {
    hint = "; of activation functions there are ReLU and ReLU6: train the network with one of them";
  } else if (is_one_of({"Mul", "Div", "Sub"})) {
    hint =
        "; a factor per channel belongs into the weights before it, and gates (squeeze-and-"
        "excitation) have no layer";
  }
  node.fail("has no layer here (opset ", graph_.opset, ")", hint, "; supported are ", kSupported);
}

void Importer::spend(const OnnxNode& node, std::int64_t elements) {
  node.require(elements <= budget_, "and the nodes before it make more than ", kMakings,
               " times the elements that the file holds");
  budget_ -= elements;
}

const Constant& Importer::constant(const OnnxNode& node, std::size_t i, const char* what) const {
  const auto it = constants_.find(node.input(i));
  node.require(it != constants_.end(), "has ", node.input(i).empty() ? "no " : "a computed ", what,
               node.input(i).empty() ? "" : "; it must be a constant");
  return it->second;
}

const Importer::Value& Importer::value(const OnnxNode& node, std::size_t i) const {
  const std::string name = node.input(i);
  node.require(!is_constant(name), "computes on the constant \"", printable(name),
               "\"; fold constants before (onnxsim, or ONNX Runtime's basic optimizations)");
  const auto it = values_.find(name);
  node.require(it != values_.end(), "reads \"", printable(name), "\", which no layer computes");
  return it->second;
}

Importer::Value Importer::with_sole(const OnnxNode& node, std::size_t i) const {
  Value v = value(node, i);
  v.is_sole = v.is_sole && read_by_one(node.input(i));
  return v;
}

Importer::Value Importer::take(const OnnxNode& node, std::size_t i) {
  Value v = with_sole(node, i);
  node.require(!v.codes || node.op() == "MaxPool" || node.op() == "Flatten" ||
                   node.op() == "Reshape" || node.op() == "Squeeze",
               "reads codes; it needs real numbers");
  node.require(!v.is_probability, "reads what a Softmax gives; that is supported only at the end");
  node.require(!v.off_grid, "reads numbers that were cut at 6 after they were quantized, and 6 is ",
               "no code of theirs; quantize behind the Clip");
  if (!v.requantized) return v;
  // The second quantization is a layer of its own, which all who read it share.
  const QParams q = *v.requantized;
  const auto is_it = [&](const LayerSpec& s) {
    return s.is_added && s.kind == Kind::kConcat && s.inputs[0] == v.layer && s.activation == q;
  };
  const auto found = std::find_if(layers_.begin(), layers_.end(), is_it);
  const bool is_new = found == layers_.end();
  int layer = static_cast<int>(found - layers_.begin());
  if (is_new) {
    const std::string from = v.layer == kModelInput
                                 ? std::string("input")
                                 : layers_[static_cast<std::size_t>(v.layer)].name;
    layer = append_layer(node.what(), from + ".requantize", Kind::kConcat, {v});
    LayerSpec& s = layers_[static_cast<std::size_t>(layer)];
    s.is_added = true;
    s.activation = q;
  }
  v.layer = layer;
  v.q = q;
  v.requantized.reset();
  v.is_sole = false;
  return v;
}

Importer::Value Importer::image(const OnnxNode& node, std::size_t i) {
  const Value v = take(node, i);
  node.require(v.shape.rank() == 3, "needs an image [N, C, H, W], got ", v.shape, " per image");
  return v;
}

Importer::Value Importer::flat(const OnnxNode& node, std::size_t i) {
  const Value v = take(node, i);
  node.require(v.shape.rank() == 1, "needs a flat tensor [N, C], got ", v.shape, " per image");
  return v;
}

bool Importer::read_by_one(const std::string& name) const {
  const auto it = graph_.readers.find(name);
  return it != graph_.readers.end() && it->second == 1;
}

void Importer::alias(const OnnxNode& node, std::size_t i) {
  values_[node.output()] = with_sole(node, i);
}

int Importer::append_layer(const std::string& what, const std::string& name, LayerSpec::Kind kind,
                           const std::vector<Value>& inputs) {
  LayerSpec s;
  s.kind = kind;
  s.node = what;
  s.name = unique(printable(name));
  s.input_is_sole = inputs.front().is_sole;
  for (const Value& v : inputs) {
    if (v.layer != kModelInput) layers_[static_cast<std::size_t>(v.layer)].is_read = true;
    s.inputs.push_back(v.layer);
    s.input_q.push_back(v.q);
  }
  layers_.push_back(std::move(s));
  return static_cast<int>(layers_.size()) - 1;
}

LayerSpec& Importer::append(const OnnxNode& node, LayerSpec::Kind kind,
                            const std::vector<Value>& inputs, Shape shape,
                            const std::string& weight_name) {
  std::string name = node.layer_name();
  for (const std::string_view end :
       {std::string_view(".weight"), std::string_view(".weight_quantized")}) {
    if (weight_name.size() <= end.size() || !weight_name.ends_with(end)) continue;
    name = weight_name.substr(0, weight_name.size() - end.size());
  }
  std::replace(name.begin(), name.end(), '/', '.');
  Value out;
  out.layer = append_layer(node.what(), name, kind, inputs);
  out.shape = std::move(shape);
  if (passes_codes_on(layers_.back())) out.q = inputs.front().q;
  values_[node.output()] = std::move(out);
  return layers_.back();
}

std::string Importer::unique(std::string name) {
  const int used = names_[name]++;
  return used == 0 ? name : unique(message(name, "_", used + 1));
}

LayerSpec* Importer::source_of(const Value& v) {
  int layer = v.layer;
  bool sole = v.is_sole;
  while (layer != kModelInput && sole) {
    LayerSpec& s = layers_[static_cast<std::size_t>(layer)];
    if (!passes_codes_on(s)) return &s;
    sole = s.input_is_sole;
    layer = s.inputs[0];
  }
  return nullptr;
}

LayerSpec* Importer::weights_of(const Value& v) {
  if (v.layer == kModelInput || !v.is_sole || v.q || v.requantized) return nullptr;
  LayerSpec& s = layers_[static_cast<std::size_t>(v.layer)];
  const bool has_weights = s.kind == Kind::kConv || s.kind == Kind::kLinear;
  return has_weights && s.act == Act::kNone && !s.is_added ? &s : nullptr;
}

}  // namespace octet
