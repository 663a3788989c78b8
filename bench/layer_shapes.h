#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/f32/gemm.h"
#include "nn/module.h"

namespace octet {

// A convolution or linear layer of a model.
struct LayerShape {
  std::string name;            // "layer1.0.conv2"; of several alike, the first one's
  kernels::Conv2dShape shape;  // a linear layer is 1 x 1
  bool reads_image = false;    // no gradient of its input is ever asked for
  std::int64_t count = 1;      // layers alike
};

// The layers of a model, in the order of their calls, from a trace of its leaves on one image; with
// `batch` in their shapes. Throws Error for a leaf that has weights but is of no known kind, so
// that none is left out silently.
//   image_shape: [H, W, C]
std::vector<LayerShape> layer_shapes(Module& model, const Shape& image_shape, std::int64_t batch);

// Those that differ, each once, with their count.
std::vector<LayerShape> distinct(const std::vector<LayerShape>& layers);

// Multiply-accumulates by definition, per image: outputs times taps, products with padding counted.
struct ModelMacs {
  std::int64_t forward = 0;
  // Forward, gradient of the weights, gradient of the input: three times the same number of
  // products, but for layers that read the image and need no gradient of their input.
  std::int64_t training = 0;
};
std::int64_t macs(const kernels::Conv2dShape& shape);  // of the whole batch, one pass
ModelMacs macs_per_image(const std::vector<LayerShape>& layers);

// The elements that the leaves of a model make, per image.
struct Activations {
  std::int64_t all = 0;      // training keeps them for the backward pass
  std::int64_t largest = 0;  // of one leaf
};
Activations activations_per_image(Module& model, const Shape& image_shape);

}  // namespace octet
