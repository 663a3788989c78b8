// QuantizeLinear and DequantizeLinear: constants are computed, activations give their layer its
// scale and zero point.
#include <algorithm>
#include <cmath>

#include "onnx/importer.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;
using Type = pb::TensorProto;

bool same(const Grid& a, const Grid& b) {
  return a.scale == b.scale && a.zero_point == b.zero_point && a.type == b.type;
}

// An activation's uint8 parameters; int8 codes are moved by 128.
QParams activation_qparams(const OnnxNode& node, const Grid& grid) {
  node.require(grid.scale.size() == 1, "quantizes an activation with ", grid.scale.size(),
               " scales; it must have one");
  node.require(grid.type == Type::INT8 || grid.type == Type::UINT8,
               "quantizes an activation to other codes than int8 or uint8");
  const std::int64_t offset = grid.type == Type::INT8 ? 128 : 0;
  return {grid.scale[0], static_cast<std::int32_t>(grid.zero_point[0] + offset)};
}

}  // namespace

// Inputs 1 and 2, the scale and the zero point, which is 0 of uint8 if left out.
Grid Importer::grid(const OnnxNode& node) const {
  node.require(node.integer("block_size", 0) == 0, "quantizes in blocks, which is not supported");
  Grid g;
  const Constant& scale = constant(node, 1, "scale");
  node.require(scale.is_real() && scale.dims.size() <= 1 && scale.numel() >= 1,
               "needs one float32 scale, or one per channel");
  g.scale = scale.reals;
  for (const float s : g.scale) {
    node.require(std::isnormal(s) && std::isnormal(1.0f / s) && s > 0.0f, "has a scale of ", s);
  }
  g.axis = node.integer("axis", 1);
  g.zero_point.assign(g.scale.size(), 0);
  if (node.input(2).empty()) {
    if (is_constant(node.input(0))) g.type = constant(node, 0, "input").type;
    return g;
  }
  const Constant& zero_point = constant(node, 2, "zero point");
  node.require(!zero_point.is_real() && zero_point.numel() == scale.numel(), "has ", scale.numel(),
               " scales and ", zero_point.numel(), " zero points");
  g.zero_point = zero_point.integers;
  g.type = zero_point.type;
  return g;
}

void Importer::read_quantize(const OnnxNode& node) {
  Grid g = grid(node);
  if (is_constant(node.input(0))) {
    const Constant& real = constant(node, 0, "input");
    node.require(real.is_real(), "needs real numbers");
    if (g.type == Type::FLOAT) g.type = Type::UINT8;  // no zero point
    node.require(g.type == Type::INT8 || g.type == Type::UINT8,
                 "quantizes to other codes than int8 or uint8");
    spend(node, real.numel());
    try {
      constants_[node.output()] = quantize_constant(real, g);
    } catch (const Error& error) {
      node.fail(error.what());
    }
    return;
  }
  const Value v = value(node, 0);
  node.require(!v.codes, "reads codes; it needs real numbers");
  const QParams q = activation_qparams(node, g);
  const bool is_own = set_activation(v, q);
  alias(node);
  values_[node.output()].codes = g;
  values_[node.output()].requantized = is_own ? std::nullopt : std::optional(q);
}

void Importer::read_dequantize(const OnnxNode& node) {
  Grid g = grid(node);
  if (is_constant(node.input(0))) {
    const Constant& codes = constant(node, 0, "input");
    node.require(codes.type == Type::INT8 || codes.type == Type::UINT8 || codes.type == Type::INT32,
                 "reads other codes than int8, uint8 or int32");
    node.require(node.input(2).empty() || g.type == codes.type,
                 "has a zero point of another type than its codes");
    spend(node, codes.numel());
    try {
      constants_[node.output()] = dequantize_constant(codes, g);
    } catch (const Error& error) {
      node.fail(error.what());
    }
    return;
  }
  const Value v = value(node, 0);
  node.require(v.codes.has_value(), "reads real numbers; it needs codes");
  if (v.codes->scale.empty()) {  // the model's input, pixels
    pixels_ = activation_qparams(node, g);
  } else {
    node.require(same(*v.codes, g),
                 "has another scale or zero point than the QuantizeLinear "
                 "before it");
  }
  alias(node);
  values_[node.output()].codes.reset();
}

// A clamp of codes is the activation of the layer that made them.
void Importer::clip_codes(const OnnxNode& node) {
  const Value v = value(node, 0);
  const Grid codes = v.codes.value_or(Grid{});
  node.require(!codes.scale.empty(), "clamps the pixels of the input");
  const QParams q = activation_qparams(node, codes);
  const std::int64_t offset = codes.type == Type::INT8 ? 128 : 0;
  const auto bound = [&](std::size_t i, std::int64_t otherwise) {
    if (node.input(i).empty()) return otherwise;
    const Constant& c = constant(node, i, "bound");
    node.require(!c.is_real() && c.numel() == 1, "needs one integer as its bound");
    return std::clamp<std::int64_t>(c.integers[0], -256, 256) + offset;
  };
  const std::int64_t low = bound(1, 0), high = bound(2, 255);
  const QRange six = clamp_range(Act::kRelu6, q, kActivationRange);
  LayerSpec* s = read_by_one(node.input(0)) ? source_of(v) : nullptr;
  node.require(s != nullptr, "clamps codes that something else reads too");
  if (low == 0 && high == 255) return alias(node);
  node.require(
      low == q.zero_point && (high == 255 || high == six.quant_max) && takes_activation(*s),
      "clamps codes to [", low, ", ", high, "], which is no ReLU or ReLU6 of the layer before");
  s->act = high == 255 ? Act::kRelu : Act::kRelu6;
  alias(node);
}

// Gives the layer that computes a value its quantization. Pools and flattens pass codes on; the
// model's input is quantized as its dataset is. Codes that begin with 0 cannot express a negative
// number: that is a ReLU, and quantizers leave the node itself out.
bool Importer::set_activation(const Value& v, QParams q) {
  int layer = v.layer;
  while (layer != kModelInput) {
    LayerSpec& s = layers_[static_cast<std::size_t>(layer)];
    if (s.kind != Kind::kMaxPool && s.kind != Kind::kFlatten) {
      if (!s.activation) s.activation = q;
      if (q.zero_point == 0 && takes_activation(s)) {
        s.act = Act::kRelu;
        s.act_is_implied = true;
      }
      return *s.activation == q;
    }
    layer = s.inputs[0];
  }
  return true;
}

}  // namespace octet
