#include "models/registry.h"

#include <utility>

#include "base/float_environment.h"
#include "base/nearest.h"
#include "models/lenet.h"
#include "models/resnet.h"

namespace octet {
namespace {

std::unique_ptr<Module> make_lenet(const ModelOptions& o, Norm norm) {
  return std::make_unique<LeNet>(LeNet::Options{
      .image_shape = o.image_shape, .classes = o.classes, .padding = o.padding, .norm = norm});
}

std::unique_ptr<Module> make_resnet(const ModelOptions& o, ResidualBlock block, std::int64_t width,
                                    std::vector<std::int64_t> blocks) {
  return std::make_unique<ResNet>(ResNet::Options{.image_shape = o.image_shape,
                                                  .classes = o.classes,
                                                  .block = block,
                                                  .width = width,
                                                  .blocks = std::move(blocks),
                                                  .zero_init_residual = o.zero_init_residual});
}

using Maker = std::unique_ptr<Module> (*)(const ModelOptions&);

// One line per model.
constexpr std::pair<const char*, Maker> kModels[] = {
    {"lenet", [](const ModelOptions& o) { return make_lenet(o, Norm::kNone); }},
    {"lenet_bn", [](const ModelOptions& o) { return make_lenet(o, Norm::kBatch); }},
    {"resnet20",
     [](const ModelOptions& o) {
       return make_resnet(o, ResidualBlock::kBasic, 16, {3, 3, 3});
     }},
    {"resnet18",
     [](const ModelOptions& o) {
       return make_resnet(o, ResidualBlock::kBasic, 64, {2, 2, 2, 2});
     }},
    {"resnet50",
     [](const ModelOptions& o) {
       return make_resnet(o, ResidualBlock::kBottleneck, 64, {3, 4, 6, 3});
     }},
};

}  // namespace

std::unique_ptr<Module> make_model(const std::string& name, const ModelOptions& options) {
  const FloatEnvironment environment;
  for (const auto& [known, make] : kModels) {
    if (name == known) return make(options);
  }
  throw UsageError(message("model.name: there is no model \"", name, "\"; did you mean \"",
                           nearest(name, registered_models()), "\"?"));
}

std::vector<std::string> registered_models() {
  std::vector<std::string> names;
  for (const auto& [name, make] : kModels) names.emplace_back(name);
  return names;
}

}  // namespace octet
