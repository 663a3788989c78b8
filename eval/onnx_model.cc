#include "eval/onnx_model.h"

#include <algorithm>

#include "base/error.h"
#include "data/normalize.h"
#include "eval/run_files.h"
#include "onnx/import.h"

namespace octet {
namespace fs = std::filesystem;

bool is_onnx_file(const std::string& path) { return fs::path(path).extension() == ".onnx"; }

bool is_onnx_model(const Config& config) { return config.model.name == kOnnxModelName; }

std::unique_ptr<Module> build_onnx_model(const Config& config, const Dataset& dataset) {
  const std::string& path = config.model.init_from;
  if (!is_onnx_file(path)) {
    throw UsageError(
        message("model.name: onnx takes its network from model.init_from, which must "
                "be an .onnx file, got \"",
                path, "\""));
  }
  OnnxModel imported = import_onnx(path, dataset.image_shape());
  const auto classes = static_cast<std::int64_t>(dataset.class_names().size());
  if (imported.classes != classes) {
    throw UsageError(message("model.init_from: ", path, " tells ", imported.classes,
                             " classes apart, the dataset has ", classes));
  }
  return std::move(imported.model);
}

int restore_onnx_quantization(Module& prepared, const Config& config, const Dataset& dataset) {
  if (!is_onnx_file(config.model.init_from) || config.train.epochs > 0) return 0;
  const OnnxModel imported = import_onnx(config.model.init_from, dataset.image_shape());
  apply_quantization(prepared, imported.quantization);
  return static_cast<int>(imported.quantization.size());
}

void use_own_onnx_file(Config& config, const fs::path& folder) {
  if (is_onnx_model(config) && fs::exists(folder / kOnnxFile)) {
    config.model.init_from = folder / kOnnxFile;
  }
}

void check_onnx_input(const Config& config, const DatasetSplits& data) {
  if (!is_onnx_file(config.model.init_from)) return;
  const OnnxModel imported = import_onnx(config.model.init_from, data.train->image_shape());
  const QParams ours = input_qparams(data.normalization);
  if (!imported.pixels || *imported.pixels == ours) return;
  throw UsageError(message("model.init_from: ", config.model.init_from, " takes a pixel p as ",
                           imported.pixels->scale, " (p - ", imported.pixels->zero_point,
                           "), here it is normalized to ", ours.scale, " (p - ", ours.zero_point,
                           "); set data.mean and data.std as that model was trained"));
}

}  // namespace octet
