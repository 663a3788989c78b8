// Pools, and what turns maps into flat tensors.
#include <algorithm>
#include <limits>

#include "ir/infer_shape.h"
#include "onnx/importer.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;

constexpr std::int64_t kMaxExtent = 1 << 15;
constexpr std::int64_t kBatch = std::numeric_limits<std::int64_t>::min();

// The one number that both axes have.
std::int64_t both(const OnnxNode& node, const std::vector<std::int64_t>& v, const char* what) {
  node.require(v.size() == 2 && v[0] == v[1] && v[0] >= 1 && v[0] <= kMaxExtent, "has ", what, " ",
               Shape(v), "; both axes must have the same, from 1 to ", kMaxExtent);
  return v[0];
}

// The padding of one axis that SAME_UPPER and SAME_LOWER ask for, if it is the same on both sides.
std::int64_t same_padding(const OnnxNode& node, std::int64_t extent, std::int64_t kernel,
                          std::int64_t stride) {
  const std::int64_t outputs = (extent + stride - 1) / stride;
  const std::int64_t total = std::max<std::int64_t>((outputs - 1) * stride + kernel - extent, 0);
  node.require(total % 2 == 0, "pads by ", total, " in all (auto_pad); it must be even");
  return total / 2;
}

bool is_axes_hw(std::vector<std::int64_t> axes) {
  for (std::int64_t& axis : axes) axis = axis < 0 ? axis + 4 : axis;
  std::sort(axes.begin(), axes.end());
  return axes == std::vector<std::int64_t>{2, 3};
}

}  // namespace

// kernel: [KH, KW], used where the node does not say.
Importer::Window Importer::window(const OnnxNode& node, const Shape& map,
                                  std::vector<std::int64_t> kernel) const {
  kernel = node.integers("kernel_shape", std::move(kernel));
  node.require(kernel.size() == 2, "is of rank ", kernel.size(), "; only images are supported");
  Window w;
  for (const std::int64_t k : kernel) {
    node.require(k >= 1 && k <= kMaxExtent, "has a kernel of ", k);
  }
  w.kernel_h = kernel[0];
  w.kernel_w = kernel[1];
  w.options.kernel = kernel[0];
  w.options.stride = both(node, node.integers("strides", {1, 1}), "strides");
  for (const std::int64_t d : node.integers("dilations", {1, 1})) {
    node.require(d == 1, "is dilated by ", d, "; dilation is not supported");
  }
  std::vector<std::int64_t> pads = node.integers("pads", {0, 0, 0, 0});
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    const std::int64_t h = same_padding(node, map[0], kernel[0], w.options.stride);
    const std::int64_t v = same_padding(node, map[1], kernel[1], w.options.stride);
    pads = {h, v, h, v};
  } else if (automatic == "VALID") {
    pads = {0, 0, 0, 0};
  }
  node.require(pads.size() == 4, "has ", pads.size(), " pads for an image");
  w.options.padding = pads[0];
  for (const std::int64_t p : pads) {
    node.require(p == pads[0] && p >= 0 && p <= kMaxExtent, "pads by ", Shape(pads),
                 "; one padding on all four sides is supported");
  }
  const std::int64_t room_h = map[0] + 2 * pads[0] - kernel[0],
                     room_w = map[1] + 2 * pads[0] - kernel[1];
  node.require(room_h >= 0 && room_w >= 0, "moves a window of ", kernel[0], " x ", kernel[1],
               " over a map of ", map[0], " x ", map[1], " padded by ", pads[0]);
  node.require(node.integer("ceil_mode", 0) == 0 ||
                   (room_h % w.options.stride == 0 && room_w % w.options.stride == 0),
               "rounds its size up (ceil_mode), which is not supported");
  w.out_h = ir::window_extent(map[0], kernel[0], w.options.stride, pads[0]);
  w.out_w = ir::window_extent(map[1], kernel[1], w.options.stride, pads[0]);
  return w;
}

void Importer::read_max_pool(const OnnxNode& node) {
  const Value x = image(node, 0);
  const Window w = window(node, x.shape, {});
  node.require(w.kernel_h == w.kernel_w && w.kernel_h <= 16 && 2 * w.options.padding <= w.kernel_h,
               "has a window of ", w.kernel_h, " x ", w.kernel_w, " padded by ", w.options.padding,
               "; square ones up to 16, padded by at most half, are supported");
  append(node, Kind::kMaxPool, {0}, {w.out_h, w.out_w, x.shape[2]}).pool = w.options;
  values_[node.output()].codes = x.codes;
}

void Importer::read_average_pool(const OnnxNode& node) {
  const Value x = image(node, 0);
  const Window w = window(node, x.shape, {});
  if (w.options.padding == 0 && w.kernel_h == x.shape[0] && w.kernel_w == x.shape[1]) {
    append(node, Kind::kGlobalAvgPool, {0}, {1, 1, x.shape[2]});
    return;
  }
  node.require(w.options.padding == 0 || node.integer("count_include_pad", 0) != 0,
               "leaves its padding out of the average; count_include_pad = 1 is supported");
  node.require(w.kernel_h == w.kernel_w && 2 * w.options.padding <= w.kernel_h, "has a window of ",
               w.kernel_h, " x ", w.kernel_w, " padded by ", w.options.padding,
               "; square ones, padded by at most half, are supported");
  append(node, Kind::kAvgPool, {0}, {w.out_h, w.out_w, x.shape[2]}).pool = w.options;
}

void Importer::read_global_average_pool(const OnnxNode& node) {
  append(node, Kind::kGlobalAvgPool, {0}, {1, 1, image(node, 0).shape[2]});
}

// The mean over height and width, as PyTorch writes adaptive average pools and x.mean((2, 3)).
void Importer::read_reduce_mean(const OnnxNode& node) {
  const Value x = image(node, 0);
  const std::vector<std::int64_t> axes = node.input(1).empty()
                                             ? node.integers("axes", {})
                                             : constant(node, 1, "list of axes").integers;
  node.require(is_axes_hw(axes), "averages over axes ", Shape(axes),
               "; only height and width (2, 3) are supported");
  append(node, Kind::kGlobalAvgPool, {0}, {1, 1, x.shape[2]});
  if (node.integer("keepdims", 1) != 0) return;
  // The pool's output, under the name that the flatten then takes.
  LayerSpec flatten;
  flatten.kind = Kind::kFlatten;
  flatten.node = node.what();
  flatten.name = unique(layers_.back().name + ".flatten");
  flatten.inputs = {static_cast<int>(layers_.size()) - 1};
  layers_.back().is_read = true;
  layers_.push_back(std::move(flatten));
  Value& y = values_[node.output()];
  y.layer = static_cast<int>(layers_.size()) - 1;
  y.shape = {x.shape[2]};
}

// [H, W, C] -> [C H W] in ONNX's order, which `flattened` remembers; a flat value stays as it is.
void Importer::append_flatten(const OnnxNode& node) {
  const Value x = value(node, 0);
  if (x.shape.rank() == 1) return alias(node);
  append(node, Kind::kFlatten, {0}, {x.shape.numel()});
  Value& y = values_[node.output()];
  if (x.shape[0] * x.shape[1] > 1 && x.shape[2] > 1) y.flattened = x.shape;
  y.codes = x.codes;
}

void Importer::read_flatten(const OnnxNode& node) {
  const std::int64_t axis = node.integer("axis", 1);
  const int rank = value(node, 0).shape.rank() + 1;
  node.require(axis == 1 || axis == 1 - rank, "flattens from axis ", axis,
               "; only axis 1 is supported");
  append_flatten(node);
}

// Only into [N, features].
void Importer::read_reshape(const OnnxNode& node) {
  const std::vector<std::int64_t> sizes = node.attribute("shape") != nullptr
                                              ? node.integers("shape", {})
                                              : constant(node, 1, "shape").integers;
  const std::int64_t features = value(node, 0).shape.numel();
  const std::int64_t batch = graph_.input_dims[0];
  const auto fits = [&](std::int64_t size, std::int64_t expected) {
    return size == -1 || size == expected;
  };
  const bool ok = sizes.size() == 2 && fits(sizes[1], features) &&
                  (sizes[0] == kBatch || sizes[0] == 0 || fits(sizes[0], batch)) &&
                  (sizes[0] != -1 || sizes[1] != -1);
  node.require(ok, "reshapes ", features, " numbers per image to ", Shape(sizes), "; only [N, ",
               features, "], a flatten, is supported");
  append_flatten(node);
}

void Importer::read_squeeze(const OnnxNode& node) {
  const Value& x = image(node, 0);
  const std::vector<std::int64_t> axes = node.input(1).empty()
                                             ? node.integers("axes", {})
                                             : constant(node, 1, "list of axes").integers;
  node.require(is_axes_hw(axes) && x.shape[0] == 1 && x.shape[1] == 1,
               "is supported for maps of one pixel, axes 2 and 3");
  append_flatten(node);
}

}  // namespace octet
