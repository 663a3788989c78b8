// Pools, and what turns maps into flat tensors.
#include <algorithm>

#include "file/printable.h"
#include "onnx/importer.h"

namespace octet {
namespace {

using Kind = LayerSpec::Kind;

constexpr std::int64_t kMaxExtent = 1 << 15;

// The one number that both axes have.
std::int64_t both(const OnnxNode& node, const std::vector<std::int64_t>& v, const char* what) {
  node.require(v.size() == 2 && v[0] == v[1] && v[0] >= 1 && v[0] <= kMaxExtent, "has ", what, " ",
               Shape(v), "; both axes must have the same, from 1 to ", kMaxExtent);
  return v[0];
}

// The padding of one axis that SAME_UPPER and SAME_LOWER ask for, in all.
std::int64_t same_padding(std::int64_t extent, std::int64_t kernel, std::int64_t stride) {
  const std::int64_t outputs = (extent + stride - 1) / stride;
  return std::max<std::int64_t>((outputs - 1) * stride + kernel - extent, 0);
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
  for (const std::int64_t k : kernel) {
    node.require(k >= 1 && k <= kMaxExtent, "has a kernel of ", k);
  }
  Window w;
  w.kernel_h = kernel[0];
  w.kernel_w = kernel[1];
  w.stride = both(node, node.integers("strides", {1, 1}), "strides");
  for (const std::int64_t d : node.integers("dilations", {1, 1})) {
    node.require(d == 1, "is dilated by ", d, "; dilation is not supported");
  }
  std::vector<std::int64_t> pads = node.integers("pads", {0, 0, 0, 0});
  const std::string automatic = node.text("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    const std::int64_t odd = automatic == "SAME_LOWER" ? 1 : 0;  // one more at the beginning
    const std::int64_t h = same_padding(map[0], kernel[0], w.stride);
    const std::int64_t v = same_padding(map[1], kernel[1], w.stride);
    pads = {(h + odd) / 2, (v + odd) / 2, h - (h + odd) / 2, v - (v + odd) / 2};
  } else {
    node.require(automatic == "NOTSET" || automatic == "VALID", "has auto_pad \"",
                 printable(automatic), "\"");
    if (automatic == "VALID") pads = {0, 0, 0, 0};
  }
  node.require(pads.size() == 4, "has ", pads.size(), " pads for an image");
  for (const std::int64_t p : pads) {
    node.require(p >= 0 && p <= kMaxExtent, "pads by ", Shape(pads));
  }
  w.top = pads[0];
  w.left = pads[1];
  w.bottom = pads[2];
  w.right = pads[3];
  const std::int64_t room_h = map[0] + w.top + w.bottom - kernel[0],
                     room_w = map[1] + w.left + w.right - kernel[1];
  node.require(room_h >= 0 && room_w >= 0, "moves a window of ", kernel[0], " x ", kernel[1],
               " over a map of ", map[0], " x ", map[1], " padded by ", Shape(pads));
  const std::int64_t ceil_mode = node.integer("ceil_mode", 0);
  node.require(ceil_mode == 0 || (room_h % w.stride == 0 && room_w % w.stride == 0),
               "rounds its size up (ceil_mode = 1): its last window would hang over the edge of a "
               "map of ",
               map[0], " x ", map[1], "; use ceil_mode = 0, or a map that the windows fill");
  w.out_h = room_h / w.stride + 1;
  w.out_w = room_w / w.stride + 1;
  return w;
}

Importer::Window Importer::square_window(const OnnxNode& node, const Shape& map) const {
  Window w = window(node, map, {});
  node.require(w.left == w.top && w.bottom == w.top && w.right == w.top, "pads by ",
               Shape({w.top, w.left, w.bottom, w.right}),
               "; one padding on all four sides is supported");
  node.require(w.kernel_h == w.kernel_w && 2 * w.top <= w.kernel_h, "has a window of ", w.kernel_h,
               " x ", w.kernel_w, " padded by ", w.top,
               "; square ones, padded by at most half, are supported");
  w.options = {.kernel = w.kernel_h, .stride = w.stride, .padding = w.top};
  return w;
}

void Importer::read_max_pool(const OnnxNode& node) {
  const Value x = image(node, 0);
  const Window w = square_window(node, x.shape);
  node.require(w.kernel_h <= 16, "has a window of ", w.kernel_h, "; up to 16 are supported");
  append(node, Kind::kMaxPool, {x}, {w.out_h, w.out_w, x.shape[2]}).pool = w.options;
  values_[node.output()].codes = x.codes;
}

void Importer::read_average_pool(const OnnxNode& node) {
  const Value x = image(node, 0);
  const Window w = window(node, x.shape, {});
  const bool is_padded = w.top != 0 || w.left != 0 || w.bottom != 0 || w.right != 0;
  if (!is_padded && w.kernel_h == x.shape[0] && w.kernel_w == x.shape[1]) {
    append(node, Kind::kGlobalAvgPool, {x}, {1, 1, x.shape[2]});
    return;
  }
  node.require(!is_padded || node.integer("count_include_pad", 0) != 0,
               "leaves its padding out of the average; count_include_pad = 1 is supported");
  append(node, Kind::kAvgPool, {x}, {w.out_h, w.out_w, x.shape[2]}).pool =
      square_window(node, x.shape).options;
}

void Importer::read_global_average_pool(const OnnxNode& node) {
  const Value x = image(node, 0);
  append(node, Kind::kGlobalAvgPool, {x}, {1, 1, x.shape[2]});
}

// The mean over height and width, as PyTorch writes adaptive average pools and x.mean((2, 3)).
void Importer::read_reduce_mean(const OnnxNode& node) {
  const Value x = image(node, 0);
  const std::vector<std::int64_t> axes =
      node.input(1).empty() ? node.integers("axes", {}) : sizes(node, 1, "list of axes");
  node.require(is_axes_hw(axes), "averages over axes ", Shape(axes),
               "; only height and width (2, 3) are supported");
  append(node, Kind::kGlobalAvgPool, {x}, {1, 1, x.shape[2]});
  if (node.integer("keepdims", 1) != 0) return;
  // The pool's output, under the name that the flatten then takes.
  Value& y = values_[node.output()];
  y.layer = append_layer(node.what(), layers_.back().name + ".flatten", Kind::kFlatten, {y});
  y.shape = {x.shape[2]};
}

// [H, W, C] -> [C H W] in ONNX's order, which `flattened` remembers; a flat value stays as it is.
void Importer::append_flatten(const OnnxNode& node) {
  if (value(node, 0).shape.rank() == 1) return alias(node);
  if (value(node, 0).is_probability) {  // of one pixel
    const std::int64_t classes = value(node, 0).shape.numel();
    alias(node);
    values_[node.output()].shape = {classes};
    return;
  }
  const Value x = take(node, 0);
  append(node, Kind::kFlatten, {x}, {x.shape.numel()});
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
  const std::vector<std::int64_t> to = sizes(node, 1, "shape");
  const Shape& x = value(node, 0).shape;
  const std::int64_t features = x.numel(), channels = x[x.rank() - 1];
  const std::int64_t batch = graph_.input_dims[0];
  const bool copies = node.integer("allowzero", 0) == 0;  // 0: as it was
  const bool is_batch = to.size() == 2 && (to[0] == kBatch || (to[0] == 0 && copies) ||
                                           to[0] == -1 || (to[0] > 0 && to[0] == batch));
  const bool is_rest = to.size() == 2 && (to[1] == features || (to[1] == -1 && to[0] != -1) ||
                                          (to[1] == 0 && copies && channels == features));
  node.require(is_batch && is_rest, "reshapes ", features, " numbers per image to ", Shape(to),
               "; only [N, ", features, "], a flatten, is supported");
  append_flatten(node);
}

void Importer::read_squeeze(const OnnxNode& node) {
  const Shape& x = value(node, 0).shape;
  const std::vector<std::int64_t> axes =
      node.input(1).empty() ? node.integers("axes", {}) : sizes(node, 1, "list of axes");
  node.require(x.rank() == 3 && is_axes_hw(axes) && x[0] == 1 && x[1] == 1,
               "is supported for maps of one pixel, axes 2 and 3");
  append_flatten(node);
}

}  // namespace octet
