// The experiments in configs/: what is published must load.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/registry.h"
#include "io/config.h"
#include "models/registry.h"
#include "nn/module.h"

namespace octet {

TEST_CASE("configs: every file loads, is named as its run, and names a model and a dataset") {
  const std::vector<std::string> datasets = registered_datasets();
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(OCTET_SOURCE_DIR "/configs")) {
    const std::string path = file.path().string();
    CAPTURE(path);
    const Config config = load_config(path);
    CHECK(config.run.name == file.path().stem().string());
    CHECK(std::find(datasets.begin(), datasets.end(), config.data.name) != datasets.end());
    CHECK(make_model(config.model.name,
                     {.image_shape = {32, 32, 3}, .padding = config.model.padding}) != nullptr);
    // A name that ends in the method it shows uses it.
    if (path.ends_with("_qat.yaml")) CHECK(config.quantize.method == QuantizeConfig::Method::kQat);
    if (path.ends_with("_ptq.yaml")) CHECK(config.quantize.method == QuantizeConfig::Method::kPtq);
    ++count;
  }
  CHECK(count > 0);
}

}  // namespace octet
