#include "train/bn_reestimate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "nn/dropout.h"
#include "ops/batch_norm.h"

namespace octet {
namespace {

// While it lives, batch norm collects statistics and nothing else behaves as in training.
class CollectGuard {
 public:
  explicit CollectGuard(Module& model) : leaves_(named_leaves(model)) {
    for (const auto& [name, module] : model.named_modules()) {
      modes_.emplace_back(module, module->is_training());
    }
    for (const auto& [name, leaf] : leaves_) {
      OCTET_CHECK(!leaf->prepared(), "[", name,
                  "] is prepared: statistics are re-estimated before quantization");
    }
    model.train();
    for (const auto& [name, leaf] : leaves_) {
      if (dynamic_cast<Dropout*>(leaf) != nullptr) leaf->eval();
    }
  }
  ~CollectGuard() {
    set_momentum(BatchNormOptions().momentum);
    for (const auto& [module, training] : modes_) module->train(training);  // parents come first
  }
  CollectGuard(const CollectGuard&) = delete;
  CollectGuard& operator=(const CollectGuard&) = delete;

  void set_momentum(float momentum) {
    for (const auto& [name, leaf] : leaves_) leaf->set_bn_momentum(momentum);
  }

 private:
  std::vector<std::pair<std::string, Leaf*>> leaves_;
  std::vector<std::pair<Module*, bool>> modes_;
  NoGradGuard no_grad_;
};

}  // namespace

void reestimate_bn_stats(Module& model, const DataLoader& loader, std::int64_t batches) {
  const std::int64_t count = std::min(batches, loader.batches());
  OCTET_CHECK(count >= 1, "[bn_reestimate] needs at least one batch");
  CollectGuard collect(model);
  for (std::int64_t b = 0; b < count; ++b) {
    // running = (1 - 1 / (b + 1)) running + 1 / (b + 1) batch: the average so far.
    collect.set_momentum(1.0f / static_cast<float>(b + 1));
    model(loader.batch(0, b).images);
  }
}

}  // namespace octet
