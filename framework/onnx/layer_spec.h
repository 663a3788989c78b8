#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/conv_bn_act.h"
#include "nn/linear.h"
#include "nn/module.h"
#include "nn/pool.h"

namespace octet {

// A leaf to be, while the graph is read: later nodes (batch norm, bias, ReLU, QuantizeLinear) still
// add to it. Tensors are in Octet's layout.
struct LayerSpec {
  enum class Kind { kConv, kLinear, kAdd, kConcat, kMaxPool, kAvgPool, kGlobalAvgPool, kFlatten };

  Kind kind = Kind::kFlatten;
  std::string name;
  std::string node;           // "[/conv1/Conv] Conv", for messages
  std::vector<int> inputs;    // layers; kModelInput: the images
  bool input_is_sole = true;  // nobody else reads the first input
  bool is_read = false;
  bool is_added = false;  // import's own: there is no weight in the file
  // How each input was quantized before it is read here; nullopt: it is read as real numbers.
  std::vector<std::optional<QParams>> input_q;
  Act act = Act::kNone;
  ConvBnAct::Options conv;
  Linear::Options linear;
  Pool2dOptions pool;
  std::vector<float> weight, bias;            // conv: [O, KH, KW, I]; linear: [O, I]
  std::vector<float> gamma, beta, mean, var;  // of batch norm; empty if there is none
  std::vector<float> weight_scale;            // of a weight that was quantized
  std::optional<QParams> activation;          // of the output
};

inline constexpr int kModelInput = -1;

// Whether the layer can be followed by an activation, as its own.
bool takes_activation(const LayerSpec& layer);

// A model that computes the layers in their order; the last is the result. The specs' tensors are
// moved into the leaves.
std::unique_ptr<Module> build_imported_model(std::vector<LayerSpec> layers);

}  // namespace octet
