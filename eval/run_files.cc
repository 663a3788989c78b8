#include "eval/run_files.h"

#include <map>

#include "base/error.h"
#include "base/nearest.h"
#include "eval/onnx_model.h"
#include "file/shell.h"
#include "io/checkpoint.h"
#include "io/weights.h"
#include "models/registry.h"
#include "nn/leaf.h"
#include "qat/prepare.h"

namespace octet {
namespace fs = std::filesystem;
fs::path newest_finished_run(const fs::path& runs) {
  std::optional<fs::path> newest;
  fs::file_time_type newest_time;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(runs, error)) {
    const fs::path summary = entry.path() / kSummaryFile;
    std::error_code missing;
    const fs::file_time_type time = fs::last_write_time(summary, missing);
    if (missing) continue;
    if (!newest || time > newest_time) {
      newest = entry.path();
      newest_time = time;
    }
  }
  if (!newest) {
    throw UsageError(message(
        "no finished run in ", runs,
        "; train one first (./octet train --config configs/lenet_qat.yaml), or name a run folder "
        "or a model file"));
  }
  return *newest;
}

// Bounds the memory of a look; load_config refuses less than that.
constexpr std::uint64_t kMaxLookBytes = std::uint64_t{1} << 20;

namespace {

// "; did you mean runs/lenet_qat-001?" for a path that is not there, or "".
std::string near_run(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("runs", ignored)) {
    if (fs::exists(entry.path() / kConfigFile, ignored)) {
      names.push_back(entry.path().filename().string());
    }
  }
  const fs::path name = path.has_filename() ? path.filename() : path.parent_path().filename();
  const std::string near = nearest_typo(name.string(), names);
  return near.empty() ? "" : "; did you mean " + shell_quoted("runs/" + near) + "?";
}

}  // namespace

bool has_run_config(const Folder& folder) {
  if (!folder.has(kConfigFile)) return false;
  const std::string text = folder.read_text(kConfigFile, kMaxLookBytes);
  return text.find_first_not_of(std::string_view(" \t\r\n\0", 5)) != std::string::npos;
}

Config load_run_config(const fs::path& path, const std::vector<std::string>& overrides) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    throw UsageError(message("there is no run folder ", path, near_run(path)));
  }
  const Folder folder(path.string());
  if (has_run_config(folder)) return load_config(path / kConfigFile, overrides);
  const std::optional<LoadedCheckpoint> loaded = load_checkpoint(folder);
  if (!loaded) {
    throw UsageError(message(path, folder.has(kConfigFile)
                                       ? " has an empty config.yaml and no checkpoint: nothing of "
                                         "this run can be continued; start a new one"
                                       : " is not a run folder: it has no config.yaml and no "
                                         "checkpoint"));
  }
  return parse_config(loaded->checkpoint.config, loaded->path, overrides);
}

RunFiles open_run(const fs::path& path) {
  RunFiles files;
  files.path = path;
  if (!fs::exists(path)) {
    throw UsageError(message("there is no run folder or model file ", path, near_run(path)));
  }
  if (!fs::is_directory(path)) {
    files.int8_file = path;
    return files;
  }
  files.run = path;
  files.config = load_run_config(path);
  use_own_onnx_file(*files.config, path);
  files.int8_file = path / kInt8File;
  return files;
}

std::vector<NamedTensor> state_tensors(const Module& model) {
  std::vector<NamedTensor> all = model.named_parameters();
  const std::vector<NamedTensor> buffers = model.named_buffers();
  all.insert(all.end(), buffers.begin(), buffers.end());
  return all;
}

std::unique_ptr<Module> build_model(const Config& config, const Dataset& dataset) {
  if (is_onnx_model(config)) return build_onnx_model(config, dataset);
  return make_model(config.model.name,
                    {.image_shape = dataset.image_shape(),
                     .classes = static_cast<std::int64_t>(dataset.class_names().size()),
                     .padding = config.model.padding,
                     .zero_init_residual = config.model.zero_init_residual});
}

std::unique_ptr<Module> unquantized_copy(const Module& prepared, const Config& config,
                                         const Dataset& dataset) {
  std::map<std::string, Tensor> values;
  for (const NamedTensor& t : state_tensors(prepared)) values.emplace(t.name, t.tensor);
  std::unique_ptr<Module> model = build_model(config, dataset);
  for (NamedTensor& t : state_tensors(*model)) t.tensor.copy_from(values.at(t.name));
  model->eval();
  return model;
}

void prepare_model(Module& model, const Config& config, const Dataset& dataset) {
  const QuantizeConfig& q = config.quantize;
  qat::prepare(model, dataset.image_shape(), {q.weight, q.activation}, q.layers);
}

std::unique_ptr<Module> load_float_model(const RunFiles& files, const DatasetSplits& data) {
  const fs::path file = *files.run / kFp32File;
  if (!fs::exists(file)) {
    throw UsageError(message(
        file, " does not exist: the run has not finished its float phase; continue it with ",
        "./octet train --resume ", shell_quoted(files.run->string())));
  }
  std::unique_ptr<Module> model = build_model(*files.config, *data.test);
  copy_weights(load_weights(file), state_tensors(*model), file);
  model->eval();
  return model;
}

std::unique_ptr<Module> load_prepared_model(const RunFiles& files, const DatasetSplits& data) {
  const std::optional<LoadedCheckpoint> loaded = load_checkpoint(*files.run);
  if (!loaded || files.config->quantize.method == QuantizeConfig::Method::kNone) {
    throw UsageError(
        message(*files.run, " has no quantized model: train with quantize.method: ptq or qat"));
  }
  std::unique_ptr<Module> model = build_model(*files.config, *data.test);
  prepare_model(*model, *files.config, *data.test);
  copy_weights(loaded->checkpoint.groups.at("model"), state_tensors(*model), loaded->path);
  model->eval();
  return model;
}

}  // namespace octet
