#pragma once

#include <map>
#include <string>

#include "nn/leaf.h"

namespace octet::qat {

// Makes a float model ready for calibration or QAT: every leaf gets observers and fake-quantizers
// (their state are buffers of the model, so prepare first, then load a checkpoint of a prepared
// model), and the layer that makes the output becomes the logits layer. Observers and fake
// quantization are on afterwards.
//   image_shape: [H, W, C], for one trace in evaluation mode
//   overrides: leaf name -> what it uses instead of `qconfig`
// Throws UsageError, naming the nearest, if an override names no leaf; Error if the model was
// prepared before or its last layer cannot make logits.
void prepare(Module& model, const Shape& image_shape, const QConfig& qconfig,
             const std::map<std::string, QConfig>& overrides = {});

}  // namespace octet::qat
