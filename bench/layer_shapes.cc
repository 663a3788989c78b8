#include "bench/layer_shapes.h"

#include <algorithm>

#include "nn/conv_bn_act.h"
#include "nn/linear.h"
#include "nn/trace.h"

namespace octet {
namespace {

using kernels::Conv2dShape;

Trace trace_one_image(Module& model, const Shape& image) {
  OCTET_CHECK(image.rank() == 3, "[bench] expects an image shape [H, W, C], got ", image);
  return trace(model, Tensor::zeros({1, image[0], image[1], image[2]}));
}

bool has_weight(const Leaf& leaf) {
  const auto parameters = leaf.named_parameters();
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const NamedTensor& p) { return p.tensor.rank() >= 2; });
}

Conv2dShape conv_shape(const ConvBnAct::Options& o, std::int64_t height, std::int64_t width) {
  return {.height = height,
          .width = width,
          .in = o.in,
          .out = o.out,
          .kernel_h = o.kernel,
          .kernel_w = o.kernel,
          .stride = o.stride,
          .padding = o.padding,
          .groups = o.groups};
}

bool equal(const Conv2dShape& a, const Conv2dShape& b) {
  return a.batch == b.batch && a.height == b.height && a.width == b.width && a.in == b.in &&
         a.out == b.out && a.kernel_h == b.kernel_h && a.kernel_w == b.kernel_w &&
         a.stride == b.stride && a.padding == b.padding && a.groups == b.groups;
}

}  // namespace

std::vector<LayerShape> layer_shapes(Module& model, const Shape& image_shape, std::int64_t batch) {
  const Trace traced = trace_one_image(model, image_shape);
  std::vector<Shape> shapes = {{1, image_shape[0], image_shape[1], image_shape[2]}};
  for (const TraceRecord& record : traced.records) shapes.push_back(record.result.shape());

  std::vector<LayerShape> layers;
  for (const TraceRecord& record : traced.records) {
    const Shape& input = shapes[static_cast<std::size_t>(record.inputs[0])];
    LayerShape layer{.name = record.name, .shape = {}, .reads_image = record.inputs[0] == 0};
    if (const auto* conv = dynamic_cast<const ConvBnAct*>(record.leaf)) {
      layer.shape = conv_shape(conv->options(), input[1], input[2]);
    } else if (const auto* linear = dynamic_cast<const Linear*>(record.leaf)) {
      layer.shape = {.in = linear->options().in, .out = linear->options().out};
    } else {
      OCTET_CHECK(!has_weight(*record.leaf), "[", record.name,
                  "] has weights, but bench/layer_shapes.cc does not know its kind of layer");
      continue;
    }
    layer.shape.batch = batch;
    layers.push_back(std::move(layer));
  }
  return layers;
}

std::vector<LayerShape> distinct(const std::vector<LayerShape>& layers) {
  std::vector<LayerShape> kinds;
  for (const LayerShape& layer : layers) {
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const LayerShape& kind) {
      return equal(kind.shape, layer.shape) && kind.reads_image == layer.reads_image;
    });
    if (known == kinds.end()) {
      kinds.push_back(layer);
    } else {
      known->count += layer.count;
    }
  }
  return kinds;
}

std::int64_t macs(const Conv2dShape& s) {
  return s.batch * s.out_height() * s.out_width() * s.out * s.taps();
}

ModelMacs macs_per_image(const std::vector<LayerShape>& layers) {
  ModelMacs sum;
  for (const LayerShape& layer : layers) {
    const std::int64_t one_pass = layer.count * macs(layer.shape) / layer.shape.batch;
    sum.forward += one_pass;
    sum.training += (layer.reads_image ? 2 : 3) * one_pass;
  }
  return sum;
}

Activations activations_per_image(Module& model, const Shape& image_shape) {
  Activations count;
  for (const TraceRecord& record : trace_one_image(model, image_shape).records) {
    count.all += record.result.numel();
    count.largest = std::max(count.largest, record.result.numel());
  }
  return count;
}

}  // namespace octet
