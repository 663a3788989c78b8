// The first ten losses of LeNet, pinned to the bit: whatever changes one of them changes every
// trained weight. A change that means to replaces the values below by those that the failing test
// prints, and its commit says why.
#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "autograd/node.h"
#include "data/loader.h"
#include "datasets/registry.h"
#include "models/registry.h"
#include "nn/leaf.h"
#include "ops/cross_entropy.h"
#include "optim/lr_schedule.h"
#include "optim/sgd.h"
#include "tests/testing.h"

namespace octet {
namespace {

const std::vector<float> kLosses = {0x1.2683e4p+1f, 0x1.279d8ap+1f, 0x1.296d36p+1f, 0x1.2706a2p+1f,
                                    0x1.26f056p+1f, 0x1.2652c8p+1f, 0x1.269b7p+1f,  0x1.282bc6p+1f,
                                    0x1.27eb14p+1f, 0x1.2635c2p+1f};

// The settings of configs/lenet.yaml, seed 1, on the 800 training images of mnist_sample: 6 batches
// an epoch, so that ten steps reach into the second.
std::vector<float> first_losses(std::int64_t steps) {
  const DatasetSplits data = load_dataset("mnist_sample", "");
  const DataLoader loader(data.train, {.batch_size = 128,
                                       .shuffle = true,
                                       .drop_last = true,
                                       .seed = 1,
                                       .augment = {.shift = 2, .rotate_degrees = 10, .scale = 0.1f},
                                       .normalization = data.normalization});
  const auto model = make_model("lenet", {.image_shape = {28, 28, 1}, .classes = 10, .padding = 2});
  initialize(*model, 1);
  Sgd optimizer(
      model->named_parameters(),
      {.momentum = 0.9f, .nesterov = true, .weight_decay = 1e-4f, .decays = is_layer_weight});
  const LrSchedule schedule(
      {.kind = LrScheduleKind::kOneCycle, .lr = 0.1f, .total_steps = 15 * loader.batches()});
  model->train();
  std::vector<float> losses;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Batch batch = loader.batch(step / loader.batches(), step % loader.batches());
    optimizer.zero_grad();
    const Tensor loss = cross_entropy((*model)(batch.images), batch.labels);
    losses.push_back(loss.item());
    backward(loss);
    optimizer.step(schedule.lr_at(step));
  }
  return losses;
}

std::string hex(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) {
    char word[32];
    std::snprintf(word, sizeof(word), "%af, ", double{value});
    text += word;
  }
  return text;
}

TEST_CASE("golden: the first ten losses of LeNet, for every instruction set, 1 and 2 threads") {
  const std::string pinned = hex(kLosses);
  testing::for_each_isa([&](Isa) {
    for (const int threads : {1, 2}) {
      CAPTURE(threads);
      set_num_threads(threads);
      const std::string losses = hex(first_losses(10));
      CHECK(losses == pinned);
    }
  });
  set_num_threads(1);
}

}  // namespace
}  // namespace octet
