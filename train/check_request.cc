#include "train/check_request.h"

#include <algorithm>

#include "base/error.h"
#include "eval/run_files.h"
#include "file/printable.h"
#include "file/shell.h"
#include "nn/module.h"
#include "train/check_tensors.h"
#include "train/image_sizes.h"

namespace octet {

void check_request(const Config& config, const Dataset& train) {
  const auto require = [](bool ok, const auto&... parts) {
    if (!ok) throw UsageError(message(parts...));
  };
  require(config.data.validation_size < train.size(),
          "data.validation_size: ", config.data.validation_size, " leaves nothing of ",
          train.size(), " training images");
  require(!(config.data.augment.flip && config.data.augment.alternate_flip),
          "data.augment.alternate_flip: flip is on as well; set data.augment.flip=false");
  const auto check_warmup = [&](const char* section, double warmup_epochs, int epochs) {
    require(epochs == 0 || warmup_epochs <= epochs, section, ".warmup_epochs: ", warmup_epochs,
            " is more than the ", epochs, " epochs");
  };
  check_warmup("train", config.train.warmup_epochs, config.train.epochs);
  check_image_sizes(config, train);
  const auto& forms = config.eval.forms;
  require(config.quantize.method != QuantizeConfig::Method::kNone || forms.empty() ||
              std::find(forms.begin(), forms.end(), EvalConfig::Form::kFloat) != forms.end(),
          "eval.forms: with quantize.method: none there is only float");
  if (config.quantize.method == QuantizeConfig::Method::kNone) return;
  check_warmup("quantize", config.quantize.warmup_epochs, config.quantize.epochs);
  prepare_model(*build_model(config, train), config,
                train);  // do quantize.layers name leaves?
}

void check_resume(const std::string& folder, const Checkpoint& checkpoint, const Config& config,
                  const Dataset& train) {
  for (const ConfigDifference& d :
       config_differences(parse_config(checkpoint.config, "checkpoint"), config)) {
    if (d.key == "run.threads" || d.key == "data.root" || d.key.rfind("checkpoint.", 0) == 0 ||
        d.key.rfind("eval.", 0) == 0)
      continue;
    throw UsageError(
        message("--resume ", folder, ": ", d.key, " was ", d.before, " and is now ", d.after,
                "; a resumed run goes on as it began. Undo the change, or start a new run"));
  }
  if (checkpoint.dataset_sha256 != train.sha256()) {
    throw UsageError(message("--resume ", folder, ": the dataset ", config.data.name, " in ",
                             config.data.root, " is not the one that this run began with"));
  }
}

void refuse_finished(const Folder& folder, const char* why) {
  const bool trained = !folder.has(kCheckpointName) && folder.has(kInt8File);
  if (!folder.has(kSummaryFile) && !trained) return;
  throw UsageError(message("--resume ", folder.path(), ": this run has finished, and ", why,
                           ", so there is nothing to go on with. Evaluate it with: ./octet eval ",
                           shell_quoted(folder.path()), "; or start a new run with --config ",
                           shell_quoted(folder.path_of(kConfigFile))));
}

void check_groups(const Checkpoint& checkpoint, const std::string& phase,
                  const std::string& source) {
  for (const auto& [name, tensors] : checkpoint.groups) {
    const bool expected = name == "model" || (name == "optimizer" && phase != "done") ||
                          (name == "ema" && phase == "float");
    OCTET_CHECK(expected, source, " has a group \"", printable(name), "\", which a run in phase ",
                phase, " has not");
    check_training_tensors(tensors, source);
  }
}

}  // namespace octet
