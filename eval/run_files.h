#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/registry.h"
#include "file/folder.h"
#include "io/config.h"
#include "ir/graph.h"
#include "nn/module.h"

namespace octet {

// Names inside a run folder.
inline constexpr char kConfigFile[] = "config.yaml";
inline constexpr char kSummaryFile[] = "summary.json";
inline constexpr char kFp32File[] = "model_fp32.safetensors";
inline constexpr char kFp16File[] = "model_fp16.safetensors";  // the same, with round_to_fp16
inline constexpr char kInt8File[] = "model_int8.safetensors";
inline constexpr char kOnnxFile[] = "model.onnx";  // the network, in a run of model.name: onnx

// The newest folder in `runs` whose run has finished (has a summary.json). Throws UsageError if
// there is none.
std::filesystem::path newest_finished_run(const std::filesystem::path& runs);

// Whether the folder has a config.yaml with anything in it: a power cut can leave an empty one, or
// one of zeros, in the folders of earlier versions.
bool has_run_config(const Folder& folder);

// The config of a run: config.yaml or, where there is none, the one that its checkpoint holds.
// Throws UsageError if there is neither.
Config load_run_config(const std::filesystem::path& folder,
                       const std::vector<std::string>& overrides = {});

// What `eval` was asked to evaluate: a run folder, or the file of an integer model.
struct RunFiles {
  std::filesystem::path path;                // as given
  std::optional<std::filesystem::path> run;  // the folder, unless `path` is a model file
  std::optional<Config> config;              // of the run
  std::filesystem::path int8_file;           // may not exist in a run without quantization
};

// Throws UsageError if there is nothing at `path`, or a folder that is no run.
RunFiles open_run(const std::filesystem::path& path);

// Parameters and buffers: what a checkpoint holds of a model.
std::vector<NamedTensor> state_tensors(const Module& model);

// The float model of a run, and the prepared model (the twin) with the state of its last
// checkpoint. Throw Error, saying what to do, if the run has none.
std::unique_ptr<Module> load_float_model(const RunFiles& files, const DatasetSplits& data);
std::unique_ptr<Module> load_prepared_model(const RunFiles& files, const DatasetSplits& data);

// The model a config describes; values are still to come. With model.name: onnx it is the graph of
// model.init_from. Throws UsageError if that graph does not fit the dataset.
std::unique_ptr<Module> build_model(const Config& config, const Dataset& dataset);
// A float model with the weights of a prepared one: what the latter would compute if nothing were
// rounded. (The run's float model is another one if QAT has gone on from there.)
std::unique_ptr<Module> unquantized_copy(const Module& prepared, const Config& config,
                                         const Dataset& dataset);
// Prepared for quantization as the config says.
void prepare_model(Module& model, const Config& config, const Dataset& dataset);

}  // namespace octet
