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
  node.require(grid.scale[0] > 0x1p-24f && grid.scale[0] < 0x1p24f, "has a scale of ",
               grid.scale[0], ", which no activation needs; 2^-24 to 2^24 are supported");
  node.require(grid.type == Type::INT8 || grid.type == Type::UINT8,
               "quantizes an activation to other codes than int8 or uint8");
  const std::int64_t offset = grid.type == Type::INT8 ? 128 : 0;
  return {grid.scale[0], static_cast<std::int32_t>(grid.zero_point[0] + offset)};
}

}  // namespace

// Inputs 1 and 2, the scale and the zero point. Where the latter is left out, it is 0, and the type
// is what output_dtype says.
Grid Importer::grid(const OnnxNode& node) const {
  node.require(node.integer("block_size", 0) == 0, "quantizes in blocks, which is not supported");
  const std::int64_t precision = node.integer("precision", 0);
  node.require(precision == 0 || precision == Type::FLOAT,
               "computes in another precision than float32");
  Grid g;
  const Constant& scale = constant(node, 1, "scale");
  node.require(scale.is_real() && scale.dims.size() <= 1 && scale.numel() >= 1,
               "needs one float32 scale, or one per channel");
  node.require(scale.numel() == 1 || graph_.opset >= 13, "has ", scale.numel(),
               " scales, which it cannot have in opset ", graph_.opset);
  g.scale = scale.reals;
  for (const float s : g.scale) {
    node.require(std::isnormal(s) && std::isnormal(1.0f / s) && s > 0.0f, "has a scale of ", s);
  }
  g.axis = node.integer("axis", 1);
  g.zero_point.assign(g.scale.size(), 0);
  g.type = Type::UNDEFINED;
  if (!node.input(2).empty()) {
    const Constant& zero_point = constant(node, 2, "zero point");
    node.require(!zero_point.is_real() && zero_point.numel() == scale.numel(), "has ",
                 scale.numel(), " scales and ", zero_point.numel(), " zero points");
    g.zero_point = zero_point.integers;
    g.type = zero_point.type;
  }
  return g;
}

void Importer::read_quantize(const OnnxNode& node) {
  Grid g = grid(node);
  const std::int64_t output = node.integer("output_dtype", 0);
  if (g.type == Type::UNDEFINED) g.type = output == Type::INT8 ? Type::INT8 : Type::UINT8;
  node.require(output == 0 || output == g.type,
               "has an output_dtype that is not int8 or uint8, or not its zero point's type");
  node.require(g.type == Type::INT8 || g.type == Type::UINT8,
               "quantizes to other codes than int8 or uint8");
  if (is_constant(node.input(0))) {
    const Constant& real = constant(node, 0, "input");
    node.require(real.is_real(), "needs real numbers");
    spend(node, real.numel());
    try {
      constants_[node.output()] = quantize_constant(real, g);
    } catch (const Error& error) {
      node.fail(error.what());
    }
    return;
  }
  node.require(!value(node, 0).codes, "reads codes; it needs real numbers");
  const QParams q = activation_qparams(node, g);
  const bool is_third = value(node, 0).requantized && *value(node, 0).requantized != q;
  Value v = is_third ? take(node, 0) : with_sole(node, 0);
  node.require(!v.off_grid || v.q == q, "quantizes anew what was cut at 6 after it was quantized, ",
               "and 6 is no code there; quantize behind the Clip");
  v.off_grid = false;
  if (!v.is_probability && !v.q) v.q = q;
  if (!v.is_probability && *v.q != q) v.requantized = q;
  v.codes = g;
  values_[node.output()] = std::move(v);
}

void Importer::read_dequantize(const OnnxNode& node) {
  Grid g = grid(node);
  const std::int64_t output = node.integer("output_dtype", 0);
  node.require(output == 0 || output == Type::FLOAT, "gives other numbers than float32");
  const bool has_zero_point = g.type != Type::UNDEFINED;
  if (is_constant(node.input(0))) {
    const Constant& codes = constant(node, 0, "input");
    node.require(codes.type == Type::INT8 || codes.type == Type::UINT8 || codes.type == Type::INT32,
                 "reads other codes than int8, uint8 or int32");
    node.require(!has_zero_point || g.type == codes.type,
                 "has a zero point of another type than its codes");
    spend(node, codes.numel());
    try {
      constants_[node.output()] = dequantize_constant(codes, g);
    } catch (const Error& error) {
      node.fail(error.what());
    }
    return;
  }
  Value v = with_sole(node, 0);
  node.require(v.codes.has_value(), "reads real numbers; it needs codes");
  if (!has_zero_point) g.type = v.codes->type;
  if (v.codes->scale.empty()) {  // the model's input, pixels
    const QParams q = activation_qparams(node, g);
    node.require(g.type == Type::UINT8, "has a zero point of another type than the pixels");
    node.require(!pixels_ || *pixels_ == q,
                 "takes pixels as other numbers than another DequantizeLinear of them does");
    pixels_ = q;
    v.q = q;
  } else {
    node.require(same(*v.codes, g),
                 "has another scale or zero point than the QuantizeLinear before it");
  }
  v.codes.reset();
  values_[node.output()] = std::move(v);
}

// From the last layer to the first. Pools and flattens pass codes on, so their readers' wishes are
// wishes for what is before them.
void Importer::settle_quantization() {
  std::vector<std::vector<std::optional<QParams>>> wishes(layers_.size() + 1);  // 0: the input
  for (std::size_t i = layers_.size(); i-- > 0;) {
    LayerSpec& s = layers_[i];
    const std::vector<std::optional<QParams>>& of_this = wishes[i + 1];
    const auto before = [&](std::size_t k) -> std::vector<std::optional<QParams>>& {
      return wishes[static_cast<std::size_t>(s.inputs[k] + 1)];
    };
    if (s.kind == Kind::kMaxPool || s.kind == Kind::kFlatten) {
      for (const std::optional<QParams>& wish : of_this) {
        before(0).push_back(s.input_q[0] ? s.input_q[0] : wish);
      }
      continue;
    }
    for (std::size_t k = 0; k < s.inputs.size(); ++k) before(k).push_back(s.input_q[k]);
    bool is_real = false;
    for (const std::optional<QParams>& wish : of_this) {
      is_real = is_real || !wish;
      if (!wish) continue;
      OCTET_CHECK(!s.activation || *s.activation == *wish, s.node,
                  " is quantized by its readers differently, with scale ", wish->scale,
                  ", zero point ", wish->zero_point, " and with scale ", s.activation->scale,
                  ", zero point ", s.activation->zero_point,
                  "; a layer has one quantizer, so quantize it once for all");
      s.activation = wish;
    }
    // Codes that begin with that of 0 have no negative numbers: that is a ReLU, and quantizers
    // leave the node itself out.
    if (!s.activation || s.activation->zero_point != 0 || s.act != Act::kNone) continue;
    OCTET_CHECK(!is_real, s.node, " is read as real numbers by one node and by another as codes, ",
                "which have no negative numbers; quantize it for all who read it, or for none");
    if (takes_activation(s)) s.act = Act::kRelu;
  }
  for (const std::optional<QParams>& wish : wishes[0]) {
    OCTET_CHECK(!wish || !input_q_ || *wish == *input_q_,
                "quantizes its input differently for different layers; once for all is supported");
    if (wish) input_q_ = wish;
  }
}

}  // namespace octet
