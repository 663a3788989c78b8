#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"

namespace octet {

// What every model takes; the configuration file's `model` section.
struct ModelOptions {
  Shape image_shape;  // [H, W, C]
  std::int64_t classes = 10;
  std::int64_t padding = 2;  // of LeNet's first convolution: 2 (28x28 as LeCun padded it) or 0
  bool zero_init_residual = true;  // ResNet: the last gamma of each block starts at 0
};

// The model of a name, without initial values (nn/leaf.h: initialize). Throws UsageError, naming
// the nearest, for a name that is not registered; Error if the image does not suit the model.
std::unique_ptr<Module> make_model(const std::string& name, const ModelOptions& options);

std::vector<std::string> registered_models();

}  // namespace octet
