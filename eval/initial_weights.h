#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "io/config.h"
#include "nn/module.h"

namespace octet {

// Gives a model the weights of config.model.init_from: a checkpoint or another file of ours, an
// ONNX file, or a .safetensors file with PyTorch's names and layout (models/torch_names.h). A
// tensor may also have our own name there. Nothing is changed unless every tensor of the model is
// in the file, in its shape, and nothing else: throws Error with the file and the tensors that are
// missing, unexpected or of another shape, by the file's names.
void load_initial_weights(Module& model, const Config& config, const Dataset& dataset);

// The same for the tensors `from` of a PyTorch state_dict that was read, turned to our layout.
//   to: the model's tensors      model: its registered name      path: of the file, for messages
void copy_torch_weights(std::vector<NamedTensor> from, std::vector<NamedTensor> to,
                        const std::string& model, const std::string& path);

}  // namespace octet
