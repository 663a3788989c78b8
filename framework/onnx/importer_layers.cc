// The ops that become layers with weights, adds and concats, and what is folded into them.
#include <algorithm>
#include <cmath>

#include "file/printable.h"
#include "onnx/importer.h"
#include "onnx/layout.h"
#include "ops/batch_norm.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;

std::vector<float> per_channel(const OnnxNode& node, const Constant& c, std::int64_t channels,
                               const char* what) {
  node.require(c.is_real() && c.numel() == channels, "has a ", what, " of ", c.numel(),
               " elements for ", channels, " channels");
  return c.reals;
}

// The scales of a weight, which must belong to its output channels.
std::vector<float> weight_scale(const OnnxNode& node, const Constant& weight, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(weight.dims.size());
  node.require(weight.scale.size() <= 1 || (weight.axis + rank) % rank == axis,
               "has a weight with scales along axis ", weight.axis,
               "; they must belong to its output channels, axis ", axis);
  return weight.scale;
}

}  // namespace

void Importer::read_conv(const OnnxNode& node) {
  const Value& x = image(node, 0);
  const Constant& w = constant(node, 1, "weight");
  node.require(w.is_real() && w.dims.size() == 4 && w.numel() > 0,
               "needs a float32 or dequantized weight [O, I, KH, KW]");
  const std::int64_t out = w.dims[0], in = w.dims[1], channels = x.shape[2];
  const std::int64_t groups = node.integer("group", 1);
  node.require(groups >= 1 && groups <= channels && channels % groups == 0 && out % groups == 0 &&
                   in == channels / groups,
               "has a weight for ", in, " channels per group in ", groups,
               " groups, its input has ", channels, " channels");
  const Window win = window(node, x.shape, {w.dims[2], w.dims[3]});
  node.require(
      win.kernel_h == w.dims[2] && win.kernel_w == w.dims[3] && win.kernel_h == win.kernel_w,
      "has a kernel of ", w.dims[2], " x ", w.dims[3], "; only square ones are supported");
  spend(node, w.numel());
  LayerSpec& s = append(node, Kind::kConv, {0}, {win.out_h, win.out_w, out}, w.name);
  s.conv = {.in = channels,
            .out = out,
            .kernel = win.options.kernel,
            .stride = win.options.stride,
            .padding = win.options.padding,
            .groups = groups};
  s.weight = channels_last(std::span<const float>(w.reals), out, w.dims[2] * w.dims[3], in);
  s.weight_scale = weight_scale(node, w, 0);
  if (!node.input(2).empty()) s.bias = per_channel(node, constant(node, 2, "bias"), out, "bias");
}

// Batch norm becomes part of the convolution before it; its own epsilon enters the variance.
void Importer::read_batch_norm(const OnnxNode& node) {
  node.require(node.integer("training_mode", 0) == 0 && node.proto().output_size() == 1,
               "is in training mode; export the model with model.eval()");
  const Value& x = image(node, 0);
  LayerSpec* conv = x.layer == kModelInput ? nullptr : &layers_[static_cast<std::size_t>(x.layer)];
  node.require(conv != nullptr && conv->kind == Kind::kConv && conv->gamma.empty() &&
                   conv->act == Act::kNone && !conv->activation && x.is_sole &&
                   read_by_one(node.input(0)),
               "must follow a Conv that nothing else reads");
  const std::int64_t channels = x.shape[2];
  conv->gamma = per_channel(node, constant(node, 1, "scale"), channels, "scale");
  conv->beta = per_channel(node, constant(node, 2, "bias"), channels, "bias");
  conv->mean = per_channel(node, constant(node, 3, "mean"), channels, "mean");
  conv->var = per_channel(node, constant(node, 4, "variance"), channels, "variance");
  const float epsilon = node.real("epsilon", 1e-5f), ours = BatchNormOptions().eps;
  node.require(std::isfinite(epsilon), "has an epsilon of ", epsilon);
  for (std::size_t c = 0; c < conv->var.size(); ++c) {
    if (epsilon != ours) conv->var[c] += epsilon - ours;
    node.require(conv->var[c] + ours > 0.0f, "has a variance of ", conv->var[c], " in channel ", c);
    if (!conv->bias.empty()) conv->mean[c] -= conv->bias[c];
  }
  conv->bias.clear();
  alias(node);
}

void Importer::read_gemm(const OnnxNode& node) {
  flat(node, 0);
  node.require(node.integer("transA", 0) == 0 && node.real("alpha", 1.0f) == 1.0f &&
                   node.real("beta", 1.0f) == 1.0f,
               "is supported with transA = 0, alpha = 1 and beta = 1 only");
  const Constant& w = constant(node, 1, "weight");
  node.require(w.is_real() && w.dims.size() == 2 && w.numel() > 0,
               "needs a float32 or dequantized weight of rank 2");
  spend(node, w.numel());
  const bool rows = node.integer("transB", 0) != 0;  // [O, I], otherwise [I, O]
  const std::int64_t out = w.dims[rows ? 0 : 1], in = w.dims[rows ? 1 : 0];
  append_linear(node, rows ? w.reals : channels_first(std::span<const float>(w.reals), 1, in, out),
                out, w, rows);
  if (!node.input(2).empty()) {
    layers_.back().bias = per_channel(node, constant(node, 2, "bias"), out, "bias");
  }
}

void Importer::read_matmul(const OnnxNode& node) {
  flat(node, 0);
  const Constant& w = constant(node, 1, "second factor");
  node.require(w.is_real() && w.dims.size() == 2 && w.numel() > 0,
               "needs a float32 or dequantized weight of rank 2");
  spend(node, w.numel());
  append_linear(node, channels_first(std::span<const float>(w.reals), 1, w.dims[0], w.dims[1]),
                w.dims[1], w, false);
}

// weight: [O, I]. Behind a flatten its columns are turned from ONNX's order to ours.
void Importer::append_linear(const OnnxNode& node, std::vector<float> weight, std::int64_t out,
                             const Constant& from, bool scales_are_rows) {
  const Value x = flat(node, 0);
  const std::int64_t in = static_cast<std::int64_t>(weight.size()) / out;
  node.require(x.shape[0] == in, "has a weight for ", in, " features, its input has ", x.shape[0]);
  LayerSpec& s = append(node, Kind::kLinear, {0}, {out}, from.name);
  s.linear = {.in = in, .out = out};
  s.weight_scale = weight_scale(node, from, scales_are_rows ? 0 : 1);
  const Shape& map = x.flattened;
  s.weight = map.rank() == 3
                 ? channels_last(std::span<const float>(weight), out, map[0] * map[1], map[2])
                 : std::move(weight);
}

void Importer::read_add(const OnnxNode& node) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (is_constant(node.input(i))) return add_bias(node, 1 - i, constant(node, i, "bias"));
  }
  const Value a = value(node, 0), b = value(node, 1);
  node.require(a.shape == b.shape, "adds ", a.shape, " and ", b.shape,
               " per image; broadcasting is not supported");
  node.require(!a.codes && !b.codes, "adds codes; it needs real numbers");
  node.require(a.flattened == b.flattened, "adds maps that were flattened from different shapes");
  append(node, Kind::kAdd, {0, 1}, a.shape);
  values_[node.output()].flattened = a.flattened;
}

// A constant for each channel, added to a convolution or a linear layer that has no bias yet.
void Importer::add_bias(const OnnxNode& node, std::size_t data, const Constant& bias) {
  const Value& x = value(node, data);
  LayerSpec* s = x.layer == kModelInput ? nullptr : &layers_[static_cast<std::size_t>(x.layer)];
  node.require(s != nullptr && (s->kind == Kind::kLinear || s->kind == Kind::kConv) &&
                   s->bias.empty() && s->gamma.empty() && s->act == Act::kNone && !s->activation &&
                   x.is_sole && read_by_one(node.input(data)),
               "adds a constant to something else than a Conv or MatMul without bias");
  const int rank = x.shape.rank() + 1, axis = 1;  // of the channels, in ONNX's order
  const auto dims = static_cast<int>(bias.dims.size());
  for (int i = 0; i < dims; ++i) {
    const std::int64_t expected = i + rank - dims == axis ? x.shape[x.shape.rank() - 1] : 1;
    node.require(bias.dims[static_cast<std::size_t>(i)] == expected && dims <= rank,
                 "adds a constant that is not one number per channel");
  }
  s->bias = per_channel(node, bias, x.shape[x.shape.rank() - 1], "bias");
  alias(node, data);
}

void Importer::read_concat(const OnnxNode& node) {
  const Value first = value(node, 0);
  const std::int64_t axis = node.integer("axis", 1);
  const int rank = first.shape.rank();
  node.require(axis == 1 || axis == -rank, "joins along axis ", axis,
               "; only channels (axis 1) are supported");
  std::vector<std::size_t> inputs;
  std::int64_t channels = 0;
  for (std::size_t i = 0; i < node.inputs(); ++i) {
    const Value& v = value(node, i);
    node.require(!v.codes, "joins codes; it needs real numbers");
    node.require(v.shape.rank() == rank &&
                     (rank == 1 || (v.shape[0] == first.shape[0] && v.shape[1] == first.shape[1])),
                 "joins ", first.shape, " and ", v.shape, " per image");
    node.require(v.flattened.rank() == 0, "joins flattened maps; join them before the flatten");
    channels += v.shape[rank - 1];
    inputs.push_back(i);
  }
  const Shape shape = rank == 1 ? Shape{channels} : Shape{first.shape[0], first.shape[1], channels};
  append(node, Kind::kConcat, inputs, shape);
}

// An activation belongs to the layer before it. Max-pool and flatten may stand between, for they
// give the same whether the clamp comes before or after.
void Importer::read_activation(const OnnxNode& node, Act act) {
  const Value x = value(node, 0);
  node.require(!x.codes, "reads codes; it needs real numbers");
  LayerSpec* s = read_by_one(node.input(0)) ? source_of(x) : nullptr;
  const bool again = s != nullptr && (s->act == act || s->act_is_implied);
  node.require(s != nullptr && (again || takes_activation(*s)),
               "must follow a Conv, Gemm, MatMul or Add that nothing else reads");
  s->act = act;
  s->act_is_implied = false;
  s->activation.reset();  // of the value before; the next QuantizeLinear says
  alias(node);
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

// At the end it changes no class; logits are its argument.
void Importer::read_softmax(const OnnxNode& node) {
  node.require(node.output() == graph_.output && flat(node, 0).shape.rank() == 1,
               "is supported only as the last node, where it is left out");
  alias(node);
}

}  // namespace octet
