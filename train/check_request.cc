#include "train/check_request.h"

#include "base/error.h"
#include "eval/run_files.h"
#include "nn/module.h"
#include "train/image_sizes.h"

namespace octet {

void check_request(const Config& config, const Dataset& train) {
  const auto require = [](bool ok, const auto&... parts) {
    if (!ok) throw UsageError(message(parts...));
  };
  require(config.data.validation_size < train.size(),
          "data.validation_size: ", config.data.validation_size, " leaves nothing of ",
          train.size(), " training images");
  const auto check_warmup = [&](const char* section, double warmup_epochs, int epochs) {
    require(epochs == 0 || warmup_epochs <= epochs, section, ".warmup_epochs: ", warmup_epochs,
            " is more than the ", epochs, " epochs");
  };
  check_warmup("train", config.train.warmup_epochs, config.train.epochs);
  check_image_sizes(config, train);
  if (config.quantize.method == QuantizeConfig::Method::kNone) return;
  check_warmup("quantize", config.quantize.warmup_epochs, config.quantize.epochs);
  prepare_model(*build_model(config, train), config,
                train);  // do quantize.layers name leaves?
}

}  // namespace octet
