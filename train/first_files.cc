#include "train/first_files.h"

#include <nlohmann/json.hpp>
#include <span>

#include "eval/onnx_model.h"
#include "eval/run_files.h"
#include "file/read_file.h"
#include "ops/autocast.h"
#include "train/metrics_log.h"
#include "train/run_folder.h"

namespace octet {

std::map<std::string, std::vector<std::byte>> first_files(const Config& config) {
  const std::string yaml = to_yaml(config);
  const auto bytes = std::as_bytes(std::span(yaml.data(), yaml.size()));
  std::map<std::string, std::vector<std::byte>> files = {
      {kConfigFile, {bytes.begin(), bytes.end()}}, {kMetricsFile, {}}};
  if (is_onnx_model(config)) files[kOnnxFile] = read_file(config.model.init_from);
  return files;
}

void write_meta(const RunLock& run, const Config& config, const DatasetSplits& data, int threads) {
  nlohmann::ordered_json meta = describe_environment(threads);
  meta["seed"] = config.run.seed;
  meta["precision"] = std::string(name_of(config.train.precision));
  if (config.train.precision == Precision::kBf16) meta["bf16_kernels"] = describe_bf16();
  meta["dataset"] = config.data.name;
  meta["dataset_sha256"] = {{"train", data.train->sha256()}, {"test", data.test->sha256()}};
  meta["normalization"] = {{"mean", data.normalization.mean}, {"std", data.normalization.std}};
  write_json(run, "meta.json", meta);
}

}  // namespace octet
