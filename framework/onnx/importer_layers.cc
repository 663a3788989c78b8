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
  node.require(c.is_real() && c.dims.size() == 1 && c.numel() == channels, "has a ", what, " of ",
               c.numel(), " elements and rank ", c.dims.size(), " for ", channels, " channels");
  return c.reals;
}

// A weight of real numbers, which may be quantized: then symmetrically.
const Constant& check_weight(const OnnxNode& node, const Constant& w, std::size_t rank,
                             const char* shape) {
  node.require(w.is_real() && w.dims.size() == rank && w.numel() > 0,
               "needs a float32 or dequantized weight ", shape);
  node.require(
      w.asymmetry.empty(), "has an asymmetric weight: ", w.asymmetry,
      ", and only int8 with 0 or uint8 with 128 has an integer form here; quantize weights "
      "symmetrically (ONNX Runtime: weight_type=QuantType.QInt8, "
      "extra_options={\"WeightSymmetric\": True})");
  return w;
}

// The scales of a weight, which must belong to its output channels.
std::vector<float> weight_scale(const OnnxNode& node, const Constant& weight, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(weight.dims.size());
  node.require(weight.scale.size() <= 1 || (weight.axis + rank) % rank == axis,
               "has a weight with scales along axis ", weight.axis,
               "; they must belong to its output channels, axis ", axis);
  return weight.scale;
}

// Whether a quantized weight has the code -128 in this output channel.
bool reaches_128(const LayerSpec& s, std::size_t channel) {
  if (s.weight_scale.empty()) return false;
  const float scale = s.weight_scale[s.weight_scale.size() == 1 ? 0 : channel];
  const std::size_t count = s.weight.size() / static_cast<std::size_t>(s.conv.out);
  const auto first = s.weight.begin() + static_cast<std::ptrdiff_t>(channel * count);
  return std::any_of(first, first + static_cast<std::ptrdiff_t>(count),
                     [&](float w) { return w <= -127.5f * scale; });
}

// A kernel [rows, KH, KW] as one of [rows, K, K], between zeros: `top` rows and `left` columns of
// them come first.
std::vector<float> embed(const std::vector<float>& w, std::int64_t rows, std::int64_t kh,
                         std::int64_t kw, std::int64_t k, std::int64_t top, std::int64_t left) {
  std::vector<float> y(static_cast<std::size_t>(rows * k * k), 0.0f);
  for (std::int64_t i = 0; i < rows * kh; ++i) {
    const std::int64_t row = i / kh * k + top + i % kh;
    std::copy_n(w.begin() + i * kw, kw, y.begin() + row * k + left);
  }
  return y;
}

}  // namespace

// Our kernels are square, with one padding on all sides. Other windows are put into such a one: a
// zero weight reads what does not count.
void Importer::read_conv(const OnnxNode& node) {
  const Value x = image(node, 0);
  const Constant& w = check_weight(node, constant(node, 1, "weight"), 4, "[O, I, KH, KW]");
  const std::int64_t out = w.dims[0], in = w.dims[1], channels = x.shape[2];
  const std::int64_t groups = node.integer("group", 1);
  node.require(groups >= 1 && groups <= channels && channels % groups == 0 && out % groups == 0 &&
                   in == channels / groups,
               "has a weight for ", in, " channels per group in ", groups,
               " groups, its input has ", channels, " channels");
  const Window win = window(node, x.shape, {w.dims[2], w.dims[3]});
  node.require(win.kernel_h == w.dims[2] && win.kernel_w == w.dims[3], "has a kernel_shape of ",
               win.kernel_h, " x ", win.kernel_w, " and a weight of ", w.dims[2], " x ", w.dims[3]);
  const std::int64_t padding = std::max({win.top, win.left, win.bottom, win.right});
  const std::int64_t k = std::max(win.kernel_h + 2 * padding - win.top - win.bottom,
                                  win.kernel_w + 2 * padding - win.left - win.right);
  const auto outputs = [&](std::int64_t extent) {
    return extent + 2 * padding < k ? 0 : (extent + 2 * padding - k) / win.stride + 1;
  };
  node.require(outputs(x.shape[0]) == win.out_h && outputs(x.shape[1]) == win.out_w,
               "has a kernel of ", win.kernel_h, " x ", win.kernel_w, " with pads ",
               Shape({win.top, win.left, win.bottom, win.right}),
               ", which does not fit into a square one that is padded alike on all sides");
  spend(node, w.numel());
  const bool is_square = k == win.kernel_h && k == win.kernel_w;
  if (!is_square) spend(node, out * in * k * k);
  LayerSpec& s = append(node, Kind::kConv, {x}, {win.out_h, win.out_w, out}, w.name);
  s.conv = {.in = channels,
            .out = out,
            .kernel = k,
            .stride = win.stride,
            .padding = padding,
            .groups = groups};
  const std::vector<float> kernel = is_square ? w.reals
                                              : embed(w.reals, out * in, win.kernel_h, win.kernel_w,
                                                      k, padding - win.top, padding - win.left);
  s.weight = channels_last(std::span<const float>(kernel), out, k * k, in);
  s.weight_scale = weight_scale(node, w, 0);
  if (!node.input(2).empty()) s.bias = per_channel(node, constant(node, 2, "bias"), out, "bias");
}

// Batch norm becomes part of the convolution before it, or a layer of its own. Its epsilon may be
// another than our layers'; that enters gamma.
void Importer::read_batch_norm(const OnnxNode& node) {
  node.require(node.integer("training_mode", 0) == 0 && node.proto().output_size() == 1,
               "is in training mode; export the model with model.eval()");
  node.require(node.integer("spatial", 1) != 0, "normalizes each element (spatial = 0)");
  const Value x = take(node, 0);
  const std::int64_t channels = x.shape[x.shape.rank() - 1];
  node.require(x.flattened.rank() == 0, "normalizes a flattened map; do that before the flatten");
  std::vector<float> gamma = per_channel(node, constant(node, 1, "scale"), channels, "scale");
  std::vector<float> beta = per_channel(node, constant(node, 2, "bias"), channels, "bias");
  std::vector<float> mean = per_channel(node, constant(node, 3, "mean"), channels, "mean");
  const std::vector<float> var =
      per_channel(node, constant(node, 4, "variance"), channels, "variance");
  const float epsilon = node.real("epsilon", 1e-5f), ours = BatchNormOptions().eps;
  node.require(std::isfinite(epsilon), "has an epsilon of ", epsilon);
  for (std::size_t c = 0; c < var.size(); ++c) {
    node.require(var[c] + ours > 0.0f && var[c] + epsilon > 0.0f, "has a variance of ", var[c],
                 " in channel ", c);
  }
  LayerSpec* conv = weights_of(x);
  if (conv != nullptr && conv->kind == Kind::kConv && conv->gamma.empty()) {
    for (std::size_t c = 0; c < var.size(); ++c) {
      if (epsilon != ours) {
        gamma[c] *= static_cast<float>(
            std::sqrt((double{var[c]} + double{ours}) / (double{var[c]} + double{epsilon})));
      }
      if (!conv->bias.empty()) mean[c] -= conv->bias[c];
      node.require(gamma[c] >= 0.0f || !reaches_128(*conv, c), "negates channel ", c,
                   " of a weight that has the code -128, and 128 is no code; "
                   "fold batch norm before quantizing");
    }
    conv->gamma = gamma;
    conv->beta = beta;
    conv->mean = mean;
    conv->var = var;
    conv->bias.clear();
    return alias(node);
  }
  for (std::size_t c = 0; c < var.size(); ++c) {
    const double factor = double{gamma[c]} / std::sqrt(double{var[c]} + double{epsilon});
    gamma[c] = static_cast<float>(factor);
    beta[c] = static_cast<float>(double{beta[c]} - factor * double{mean[c]});
  }
  append_affine(node, x, gamma, beta, Act::kNone);
}

void Importer::read_gemm(const OnnxNode& node) {
  node.require(node.integer("transA", 0) == 0 && node.real("alpha", 1.0f) == 1.0f &&
                   node.real("beta", 1.0f) == 1.0f,
               "is supported with transA = 0, alpha = 1 and beta = 1 only");
  const Constant& w = check_weight(node, constant(node, 1, "weight"), 2, "of rank 2");
  spend(node, w.numel());
  const bool rows = node.integer("transB", 0) != 0;  // [O, I], otherwise [I, O]
  const std::int64_t out = w.dims[rows ? 0 : 1], in = w.dims[rows ? 1 : 0];
  append_linear(node, rows ? w.reals : channels_first(std::span<const float>(w.reals), 1, in, out),
                out, w, rows);
  if (node.input(2).empty()) return;
  layers_.back().bias =
      broadcast(node, constant(node, 2, "bias"), values_[node.output()], "bias (C)");
}

void Importer::read_matmul(const OnnxNode& node) {
  flat(node, 0);
  const Constant& w = check_weight(node, constant(node, 1, "second factor"), 2, "of rank 2");
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
  LayerSpec& s = append(node, Kind::kLinear, {x}, {out}, from.name);
  s.linear = {.in = in, .out = out};
  s.weight_scale = weight_scale(node, from, scales_are_rows ? 0 : 1);
  const Shape& map = x.flattened;
  s.weight = map.rank() == 3
                 ? channels_last(std::span<const float>(weight), out, map[0] * map[1], map[2])
                 : std::move(weight);
}

void Importer::read_add(const OnnxNode& node) {
  if (node.inputs() == 1) return alias(node);  // a Sum
  node.require(node.inputs() == 2, "adds ", node.inputs(),
               " tensors; write it as Adds of two, each quantized if the model is");
  for (std::size_t i = 0; i < 2; ++i) {
    if (is_constant(node.input(i))) return add_constant(node, 1 - i, constant(node, i, "bias"));
  }
  const Value a = take(node, 0), b = take(node, 1);
  node.require(a.shape == b.shape, "adds ", a.shape, " and ", b.shape,
               " per image; broadcasting is not supported");
  node.require(a.flattened == b.flattened, "adds maps that were flattened from different shapes");
  append(node, Kind::kAdd, {a, b}, a.shape);
  values_[node.output()].flattened = a.flattened;
}

std::vector<float> Importer::broadcast(const OnnxNode& node, const Constant& c, const Value& x,
                                       const char* what) {
  const std::int64_t channels = x.shape[x.shape.rank() - 1];
  const int rank = x.shape.rank() + 1, axis = 1;  // of the channels, in ONNX's order
  const auto dims = static_cast<int>(c.dims.size());
  bool ok = c.is_real() && dims <= rank;
  for (int i = 0; ok && i < dims; ++i) {
    const std::int64_t dim = c.dims[static_cast<std::size_t>(i)];
    ok = dim == 1 || (i + rank - dims == axis && dim == channels);
  }
  node.require(ok, "has a ", what, " of shape ", Shape(c.dims),
               ", which is not one number, or one per channel: ", channels, " of ",
               rank == 4 ? "[C, 1, 1]" : "[C]");
  return c.numel() == channels ? c.reals
                               : std::vector<float>(static_cast<std::size_t>(channels), c.reals[0]);
}

// A constant for each channel: a bias, or a layer of its own.
void Importer::add_constant(const OnnxNode& node, std::size_t data, const Constant& c) {
  const Value x = take(node, data);
  const std::vector<float> b = broadcast(node, c, x, "constant");
  LayerSpec* s = weights_of(x);
  if (s == nullptr) {
    return append_affine(node, x, std::vector<float>(b.size(), 1.0f), b, Act::kNone);
  }
  std::vector<float>& bias = s->gamma.empty() ? s->bias : s->beta;
  if (bias.empty()) bias.resize(b.size(), 0.0f);
  std::transform(b.begin(), b.end(), bias.begin(), bias.begin(), std::plus<float>());
  alias(node, data);
}

void Importer::read_concat(const OnnxNode& node) {
  node.require(node.attribute("axis") != nullptr, "has no axis");
  const std::int64_t axis = node.integer("axis", 1);
  std::vector<Value> inputs;
  std::int64_t channels = 0;
  for (std::size_t i = 0; i < node.inputs(); ++i) {
    inputs.push_back(take(node, i));
    const Shape &first = inputs.front().shape, &shape = inputs.back().shape;
    const int rank = first.rank();
    node.require(axis == 1 || axis == -rank, "joins along axis ", axis,
                 "; only channels (axis 1) are supported");
    node.require(
        shape.rank() == rank && (rank == 1 || (shape[0] == first[0] && shape[1] == first[1])),
        "joins ", first, " and ", shape, " per image");
    node.require(inputs.back().flattened.rank() == 0,
                 "joins flattened maps; join them before the flatten");
    channels += shape[rank - 1];
  }
  const Shape first = inputs.front().shape;
  append(node, Kind::kConcat, inputs,
         first.rank() == 1 ? Shape{channels} : Shape{first[0], first[1], channels});
}

}  // namespace octet
