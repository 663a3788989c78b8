#include "onnx/importer.h"

#include <algorithm>
#include <limits>

#include "file/printable.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;
using Type = pb::TensorProto;

// Stands for the batch in the sizes that a Shape node gives; Reshape copies it.
constexpr std::int64_t kBatch = std::numeric_limits<std::int64_t>::min();

// How often each element of the file's tensors may be made again: quantized, dequantized, passed on
// and given to a layer, with room to spare.
constexpr std::int64_t kMakings = 8;

constexpr char kSupported[] =
    "Conv, BatchNormalization, Gemm, MatMul, Relu, Clip, Add, Concat, MaxPool, AveragePool, "
    "GlobalAveragePool, ReduceMean, Flatten, Reshape, Squeeze, QuantizeLinear, DequantizeLinear, "
    "Softmax at the end, Identity, Dropout and Cast";

Constant list_of(std::vector<std::int64_t> integers) {
  Constant c{.type = Type::INT64,
             .dims = {static_cast<std::int64_t>(integers.size())},
             .reals = {},
             .integers = std::move(integers),
             .name = {},
             .scale = {}};
  return c;
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
  const auto result = values_.find(graph_.output);
  OCTET_CHECK(
      result != values_.end() && !result->second.codes && result->second.layer != kModelInput,
      "has the output \"", printable(graph_.output), "\", which no layer computes");
  const Value& logits = result->second;
  OCTET_CHECK(logits.shape.rank() == 1, "gives ", logits.shape,
              " per image; a classifier gives one number per class");
  classes_ = logits.shape[0];
  LayerSpec& last = layers_[static_cast<std::size_t>(logits.layer)];
  last.is_read = true;
  if (last.act_is_implied) last.act = Act::kNone;  // logits are not cut off
  for (const LayerSpec& layer : layers_) {
    OCTET_CHECK(layer.is_read, layer.node, " dangles: nothing reads what it computes");
    for (const QParams& q : layer.requantized) {
      OCTET_CHECK(layer.activation == q, layer.node,
                  " reads a value that was quantized anew, with scale ", q.scale, ", zero point ",
                  q.zero_point, "; that must be its output's");
    }
  }
}

void Importer::read(const OnnxNode& node) {
  if (read_constant_node(node)) return;
  const std::string& op = node.op();
  if (op == "Conv") return read_conv(node);
  if (op == "BatchNormalization") return read_batch_norm(node);
  if (op == "Gemm") return read_gemm(node);
  if (op == "MatMul") return read_matmul(node);
  if (op == "Add") return read_add(node);
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
  if (op == "Identity" || op == "Dropout") return alias(node);
  if (op == "Shape") return read_shape(node);
  const bool fused = op.rfind("QLinear", 0) == 0 || op.rfind("ConvInteger", 0) == 0 ||
                     op.rfind("MatMulInteger", 0) == 0;
  node.fail("has no layer here (opset ", graph_.opset, ")",
            fused ? "; quantize in QDQ form (QuantFormat.QDQ)" : "", "; supported are ",
            kSupported);
}

// Nodes whose inputs are all constants, as they compute the sizes of a Reshape.
bool Importer::read_constant_node(const OnnxNode& node) {
  const std::string& op = node.op();
  if (op == "Constant") {
    const pb::AttributeProto* a = node.attribute("value");
    const pb::AttributeProto* list = node.attribute("value_ints");
    const pb::AttributeProto* one = node.attribute("value_int");
    if (a != nullptr && a->has_t()) {
      try {
        Constant c = read_constant(a->t());
        budget_ += kMakings * c.numel();
        constants_[node.output()] = std::move(c);
      } catch (const Error& error) {
        node.fail(error.what());
      }
    } else if (list != nullptr || one != nullptr) {
      constants_[node.output()] = list != nullptr
                                      ? list_of({list->ints().begin(), list->ints().end()})
                                      : list_of({one->i()});
    } else {
      node.fail("gives neither a tensor nor integers");
    }
    return true;
  }
  if (node.inputs() == 0) return false;
  for (std::size_t i = 0; i < node.inputs(); ++i) {
    if (!node.input(i).empty() && !is_constant(node.input(i))) return false;
  }
  const Constant& first = constant(node, 0, "input");
  if (op == "Identity" || op == "Unsqueeze" || op == "Squeeze" || op == "Cast") {
    // Sizes are lists here whatever their rank. A Cast of them changes nothing but the type.
    node.require(op == "Identity" || !first.is_real(), "on real constants is not supported");
    spend(node, first.numel());
    Constant copy = first;
    constants_[node.output()] = std::move(copy);
    return true;
  }
  if (op == "Gather") {
    const Constant& index = constant(node, 1, "index");
    node.require(!first.is_real() && index.integers.size() == 1, "picks more than one size");
    const auto count = static_cast<std::int64_t>(first.integers.size());
    const std::int64_t i = index.integers[0] < 0 ? index.integers[0] + count : index.integers[0];
    node.require(i >= 0 && i < count, "has index ", index.integers[0], " of ", count);
    constants_[node.output()] = list_of({first.integers[static_cast<std::size_t>(i)]});
    return true;
  }
  if (op == "Concat") {
    std::vector<std::int64_t> all;
    for (std::size_t i = 0; i < node.inputs(); ++i) {
      const Constant& part = constant(node, i, "part");
      node.require(!part.is_real(), "joins real constants");
      spend(node, part.numel());
      all.insert(all.end(), part.integers.begin(), part.integers.end());
    }
    constants_[node.output()] = list_of(std::move(all));
    return true;
  }
  return false;
}

void Importer::read_cast(const OnnxNode& node) {
  node.require(node.integer("to", 0) == Type::FLOAT && !value(node, 0).codes,
               "changes the type of a tensor; only float32 to float32 is supported");
  alias(node);
}

void Importer::read_shape(const OnnxNode& node) {
  const Shape& s = value(node, 0).shape;
  std::vector<std::int64_t> sizes{kBatch};
  if (s.rank() == 3) sizes.insert(sizes.end(), {s[2], s[0], s[1]});
  if (s.rank() == 1) sizes.push_back(s[0]);
  const auto count = static_cast<std::int64_t>(sizes.size());
  const auto bound = [&](const char* name, std::int64_t otherwise) {
    const std::int64_t i = node.integer(name, otherwise);
    return std::clamp<std::int64_t>(i < 0 ? i + count : i, 0, count);
  };
  const std::int64_t start = bound("start", 0), end = std::max(start, bound("end", count));
  constants_[node.output()] = list_of({sizes.begin() + start, sizes.begin() + end});
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
  const auto it = values_.find(node.input(i));
  node.require(it != values_.end(), "reads \"", printable(node.input(i)),
               "\", which no layer computes");
  return it->second;
}

const Importer::Value& Importer::image(const OnnxNode& node, std::size_t i) const {
  const Value& v = value(node, i);
  node.require(v.shape.rank() == 3, "needs an image [N, C, H, W], got ", v.shape, " per image");
  node.require(!v.codes || node.op() == "MaxPool", "reads codes; it needs real numbers");
  return v;
}

const Importer::Value& Importer::flat(const OnnxNode& node, std::size_t i) const {
  const Value& v = value(node, i);
  node.require(v.shape.rank() == 1, "needs a flat tensor [N, C], got ", v.shape, " per image");
  node.require(!v.codes, "reads codes; it needs real numbers");
  return v;
}

bool Importer::read_by_one(const std::string& name) const {
  const auto it = graph_.readers.find(name);
  return it != graph_.readers.end() && it->second == 1;
}

void Importer::alias(const OnnxNode& node, std::size_t i) {
  Value v = value(node, i);
  v.is_sole = v.is_sole && read_by_one(node.input(i));
  values_[node.output()] = std::move(v);
}

LayerSpec& Importer::append(const OnnxNode& node, LayerSpec::Kind kind,
                            std::vector<std::size_t> inputs, Shape shape,
                            const std::string& weight_name) {
  LayerSpec s;
  s.kind = kind;
  s.node = node.what();
  std::string name = node.layer_name();
  for (const std::string_view end :
       {std::string_view(".weight"), std::string_view(".weight_quantized")}) {
    if (weight_name.size() <= end.size() || !weight_name.ends_with(end)) continue;
    name = weight_name.substr(0, weight_name.size() - end.size());
  }
  std::replace(name.begin(), name.end(), '/', '.');
  s.name = unique(printable(name));
  for (const std::size_t i : inputs) {
    const Value& v = value(node, i);
    if (v.layer != kModelInput) layers_[static_cast<std::size_t>(v.layer)].is_read = true;
    if (v.requantized) {
      node.require(kind == LayerSpec::Kind::kConcat,
                   "reads a value that was quantized twice, with "
                   "different scales or zero points; a layer has one quantizer");
      s.requantized.push_back(*v.requantized);
    }
    if (s.inputs.empty()) s.input_is_sole = v.is_sole && read_by_one(node.input(i));
    s.inputs.push_back(v.layer);
  }
  layers_.push_back(std::move(s));
  Value out;
  out.layer = static_cast<int>(layers_.size()) - 1;
  out.shape = std::move(shape);
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
    if (s.kind != Kind::kMaxPool && s.kind != Kind::kFlatten) return &s;
    sole = s.input_is_sole;
    layer = s.inputs[0];
  }
  return nullptr;
}

}  // namespace octet
