#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "nn/leaf.h"
#include "qat/input.h"

namespace octet::qat {

struct ConvertOptions {
  std::string model;    // "lenet"
  std::string dataset;  // "mnist"
  std::vector<std::string> class_names;
  Shape image_shape;  // [H, W, C]
  InputEncoding input;
};

// The integer graph of a prepared and calibrated model: runs the real `forward` once in evaluation
// mode, records the leaf calls, and lets each leaf lower itself. The result is validated. Scales
// and zero points are read from the model's buffers. The input table is left out where it is the
// identity; the graph's input value then carries the input's qparams.
// Throws Error that names the layer if one was never calibrated, has no integer form, or read a
// value made outside a leaf.
ir::Graph convert(Module& model, const ConvertOptions& options);

}  // namespace octet::qat
