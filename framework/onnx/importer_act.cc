// What follows a layer: activations, and what becomes a layer of its own because others read what
// is before it, or because its layer cannot take it.
#include <algorithm>
#include <cmath>

#include "onnx/importer.h"
#include "onnx/layout.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;
using Type = pb::TensorProto;

// A linear layer with a diagonal has the square of its features in weights.
constexpr std::int64_t kMaxDiagonal = 1024;

// The quantized weight of such a layer is +-127 at this scale: as exact as the scale.
std::vector<float> diagonal_scale(const std::vector<float>& diagonal) {
  std::vector<float> scale;
  for (const float a : diagonal) {
    const float s = std::fabs(a) / 127.0f;
    scale.push_back(std::isnormal(s) && std::isnormal(1.0f / s) ? s : 1.0f);
  }
  return scale;
}

}  // namespace

void Importer::append_affine(const OnnxNode& node, const Value& x, const std::vector<float>& scale,
                             const std::vector<float>& shift, Act act) {
  const auto count = static_cast<std::int64_t>(scale.size());
  const bool is_map = x.shape.rank() == 3;
  for (const float v : scale) node.require(std::isfinite(v), "scales by ", v);
  for (const float v : shift) node.require(std::isfinite(v), "adds ", v);
  node.require(is_map || count <= kMaxDiagonal, "follows a flat tensor of ", count,
               " numbers that is read or quantized elsewhere too; up to ", kMaxDiagonal,
               " are supported");
  spend(node, is_map ? count : count * count);
  LayerSpec& s = append(node, is_map ? Kind::kConv : Kind::kLinear, {x}, x.shape);
  s.is_added = true;
  s.act = act;
  if (is_map) {
    s.conv = {.in = count, .out = count, .kernel = 1, .groups = count};
    s.weight = scale;
    s.bias = shift;
    s.weight_scale = diagonal_scale(scale);
    return;
  }
  // A flattened map keeps our order of elements.
  const Shape map = x.flattened;
  const auto in_our_order = [&](const std::vector<float>& v) {
    return map.rank() == 3 ? channels_last(std::span<const float>(v), 1, map[0] * map[1], map[2])
                           : v;
  };
  const std::vector<float> diagonal = in_our_order(scale);
  s.linear = {.in = count, .out = count};
  s.weight.assign(static_cast<std::size_t>(count * count), 0.0f);
  for (std::size_t i = 0; i < diagonal.size(); ++i) {
    s.weight[i * diagonal.size() + i] = diagonal[i];
  }
  s.bias = in_our_order(shift);
  s.weight_scale = diagonal_scale(diagonal);
  values_[node.output()].flattened = map;
}

// Logits pass through a linear layer that changes nothing, and brings those of a flattened map into
// ONNX's order.
void Importer::append_head(const Value& logits) {
  const std::int64_t n = classes_;
  OCTET_CHECK(n <= kMaxDiagonal, "has an output of ", n,
              " numbers that is not made by a Gemm or MatMul alone; up to ", kMaxDiagonal,
              " are supported");
  const std::string before = layers_[static_cast<std::size_t>(logits.layer)].name;
  const std::string what = layers_[static_cast<std::size_t>(logits.layer)].node;
  append_layer(what, before + ".logits", Kind::kLinear, {logits});
  LayerSpec& s = layers_.back();
  s.is_added = true;
  s.linear = {.in = n, .out = n};
  s.weight.assign(static_cast<std::size_t>(n * n), 0.0f);
  for (std::int64_t i = 0; i < n; ++i) s.weight[static_cast<std::size_t>(i * n + i)] = 1.0f;
  const Shape& map = logits.flattened;
  if (map.rank() == 3) {
    s.weight = channels_last(std::span<const float>(s.weight), n, map[0] * map[1], map[2]);
  }
  s.weight_scale = {1.0f / 127.0f};
}

// An activation belongs to the layer before it if nobody else reads that. Max-pool and flatten may
// stand between, for they give the same whether the clamp comes before or after; so does
// quantization, whose codes are then clamped at that of 0.
void Importer::read_activation(const OnnxNode& node, Act act) {
  const Value x = with_sole(node, 0);
  LayerSpec* s = x.requantized || x.off_grid ? nullptr : source_of(x);
  const bool is_clamped = s != nullptr && s->act != Act::kNone;
  if (x.codes || x.is_probability || s == nullptr || !(is_clamped || takes_activation(*s))) {
    const Value own = take(node, 0);
    const auto channels = static_cast<std::size_t>(own.shape[own.shape.rank() - 1]);
    return append_affine(node, own, std::vector<float>(channels, 1.0f),
                         std::vector<float>(channels, 0.0f), act);
  }
  s->act = act == Act::kRelu6 || s->act == Act::kRelu6 ? Act::kRelu6 : Act::kRelu;
  alias(node);
  if (!x.q || act != Act::kRelu6) return;
  const float largest = dequantize_one(255, *x.q);
  const std::int32_t six = clamp_range(Act::kRelu6, *x.q, kActivationRange).quant_max;
  values_[node.output()].off_grid = largest > 6.0f && dequantize_one(six, *x.q) != 6.0f;
}

void Importer::read_clip(const OnnxNode& node) {
  if (value(node, 0).codes) return clip_codes(node);
  const auto bound = [&](const char* name, std::size_t i, float otherwise) {
    if (graph_.opset < 11) return node.real(name, otherwise);
    if (node.input(i).empty()) return otherwise;
    const Constant& c = constant(node, i, "bound");
    node.require(c.is_real() && c.numel() == 1, "needs one number as its bound");
    return c.reals[0];
  };
  const float low = bound("min", 1, -INFINITY), high = bound("max", 2, INFINITY);
  const bool no_top = high > 3e38f;
  node.require(low == 0.0f && (no_top || high == 6.0f), "clamps to [", low, ", ", high,
               "]; [0, 6] and [0, infinity) are supported");
  read_activation(node, no_top ? Act::kRelu : Act::kRelu6);
}

void Importer::clip_codes(const OnnxNode& node) {
  const Value v = with_sole(node, 0);
  node.require(!v.codes->scale.empty() && !v.is_probability && !v.requantized,
               "clamps codes that no layer gives");
  node.require(graph_.opset >= 12, "clamps integers, which it cannot in opset ", graph_.opset);
  const bool is_signed = v.codes->type == Type::INT8;
  const std::int64_t offset = is_signed ? 128 : 0;
  const auto bound = [&](std::size_t i, std::int64_t otherwise) {
    if (node.input(i).empty()) return otherwise;
    const Constant& c = constant(node, i, "bound");
    node.require(c.type == v.codes->type && c.numel() == 1,
                 "needs one integer of the codes' type as its bound");
    return c.integers[0] + offset;
  };
  const std::int64_t low = bound(1, 0), high = bound(2, 255);
  if (low == 0 && high == 255) return alias(node);
  const QRange six = clamp_range(Act::kRelu6, *v.q, kActivationRange);
  node.require(low == v.q->zero_point && (high == 255 || high == six.quant_max),
               "clamps codes to [", low - offset, ", ", high - offset,
               "], which is no ReLU or ReLU6; fewer than 8 bits (reduce_range) are not supported, "
               "so quantize to all 256 codes");
  LayerSpec* s = source_of(v);
  node.require(s != nullptr && (s->act != Act::kNone || takes_activation(*s)),
               "clamps codes that something else reads too, or that no Conv, Gemm, MatMul or Add "
               "gives");
  const bool is_six = high == six.quant_max && high != 255;
  s->act = is_six || s->act == Act::kRelu6 ? Act::kRelu6 : Act::kRelu;
  alias(node);
}

// In evaluation it changes nothing.
void Importer::read_dropout(const OnnxNode& node) {
  if (!node.input(2).empty()) {
    const Constant& training = constant(node, 2, "training_mode");
    node.require(training.type == Type::BOOL && training.numel() == 1 && training.integers[0] == 0,
                 "is in training mode; export the model with model.eval()");
  }
  alias(node);
}

// At the end it changes no class; logits are its argument.
void Importer::read_softmax(const OnnxNode& node) {
  const Value& x = value(node, 0);
  node.require(!x.codes && !x.is_probability && !x.off_grid, "reads codes or probabilities");
  const bool is_old = graph_.opset < 13;  // one row per image, from the axis on
  const std::int64_t rank = x.shape.rank() + 1;
  std::int64_t axis = node.integer("axis", is_old ? 1 : -1);
  if (axis < 0) axis += rank;
  const bool is_pixel = x.shape.rank() == 3 && x.shape[0] == 1 && x.shape[1] == 1;
  node.require(axis == 1 && (rank == 2 || is_pixel), "runs along axis ", axis, " of ", x.shape,
               " per image; it is supported over the classes (axis 1 of [N, classes]), as the last "
               "node, where it is left out");
  alias(node);
  values_[node.output()].is_probability = true;
}

}  // namespace octet
