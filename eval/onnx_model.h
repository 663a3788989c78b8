#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "io/config.h"
#include "nn/module.h"

// Runs that start from an ONNX file (model.init_from): as a network of its own (model.name: onnx)
// or as weights for one of the registered models.
namespace octet {

inline constexpr char kOnnxModelName[] = "onnx";

bool is_onnx_model(const Config& config);

// The network of model.init_from with its weights. Throws UsageError if init_from is no .onnx file,
// or the graph has other classes than the dataset; Error if it takes other images, or pixels that
// stand for other numbers than the dataset's normalization makes of them.
std::unique_ptr<Module> build_onnx_model(const Config& config, const Dataset& dataset);

bool is_onnx_file(const std::string& path);

// Gives a prepared model, which is calibrated, the scales and zero points of the ONNX file it
// starts from, where the file has some. Returns how many layers that are. Weights that were trained
// since have outgrown them: for train.epochs: 0 only.
int restore_onnx_quantization(Module& prepared, const Config& config, const Dataset& dataset);

// A run keeps the network beside its weights, as model.onnx: this makes a config that was read from
// there refer to the copy.
void use_own_onnx_file(Config& config, const std::filesystem::path& folder);

// Throws UsageError if the file's uint8 pixels stand for other numbers than the dataset makes of
// them. (A float input says nothing of its normalization.)
void check_onnx_input(const Config& config, const DatasetSplits& data);

}  // namespace octet
