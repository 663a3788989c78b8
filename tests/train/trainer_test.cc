#include "train/trainer.h"

#include "base/rng.h"
#include "data/in_memory.h"
#include "nn/dropout.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "optim/sgd.h"
#include "tests/testing.h"

namespace octet {
namespace {

class NetWithDropout final : public Module {
 public:
  NetWithDropout()
      : flatten_(add<Flatten>("flatten")),
        fc1_(add<Linear>("fc1", {.in = 4, .out = 16})),
        dropout_(add<Dropout>("dropout", {.p = 0.5f})),
        fc2_(add<Linear>("fc2", {.in = 16, .out = 2})) {}

 private:
  Tensor forward(const Tensor& x) override { return fc2_(dropout_(fc1_(flatten_(x)))); }

  Flatten& flatten_;
  Linear& fc1_;
  Dropout& dropout_;
  Linear& fc2_;
};

std::shared_ptr<const Dataset> noise(std::int64_t images) {
  Rng rng(1, RngPurpose::kTest);
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < images; ++i) {
    for (int k = 0; k < 4; ++k) pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
    labels.push_back(static_cast<std::int32_t>(i % 2));
  }
  return std::make_shared<InMemoryDataset>(Shape{2, 2, 1}, std::move(pixels), std::move(labels),
                                           std::vector<std::string>{"a", "b"});
}

struct Training {
  NetWithDropout model;
  RunState state;
  Progress progress;
  DataLoader loader;
  Sgd optimizer;

  explicit Training(std::uint64_t seed)
      : loader(noise(20), {.batch_size = 8,
                           .shuffle = true,
                           .seed = seed,
                           .normalization = {.mean = {0.0f}, .std = {1.0f}}}),
        optimizer((initialize(model, 1), model.named_parameters()), {.momentum = 0.9f}) {}

  // Saves by `save` after every step.
  void fit(const std::function<void()>& save) {
    Trainer trainer(model, optimizer, nullptr, loader, state, progress, 0.0, save);
    trainer.fit(
        {.name = "float", .epochs = 3, .schedule = LrSchedule({.lr = 0.1f, .total_steps = 9})});
  }
};

void copy(const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    Tensor target = to[i].tensor;
    target.copy_from(from[i].tensor);
  }
}

std::vector<NamedTensor> cloned(std::vector<NamedTensor> tensors) {
  for (NamedTensor& t : tensors) t.tensor = t.tensor.clone();
  return tensors;
}

struct Saved {
  RunState state;
  std::vector<NamedTensor> weights, momentum;
};

}  // namespace

TEST_CASE("trainer: a model with dropout trains, and continues from any step to the same bits") {
  Training whole(1);
  std::vector<Saved> saved;
  whole.fit([&] {
    saved.push_back(
        {whole.state, cloned(whole.model.named_parameters()), cloned(whole.optimizer.state())});
  });
  REQUIRE(saved.size() == 9);
  const std::vector<NamedTensor> expected = whole.model.named_parameters();

  for (const Saved& from : saved) {
    CAPTURE(from.state.total_steps);
    Training resumed(1);
    resumed.state = from.state;
    copy(from.weights, resumed.model.named_parameters());
    copy(from.momentum, resumed.optimizer.state());
    resumed.fit([] {});
    const std::vector<NamedTensor> got = resumed.model.named_parameters();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK_SAME_BITS(got[i].tensor, expected[i].tensor);
    }
  }
}

TEST_CASE("trainer: tells dropout the seed of the run, the epoch and the batch's first sample") {
  Training t(5);
  struct Step {
    std::uint32_t epoch, first_index;
  };
  // After each step: the masks are still those of the position that the trainer has set.
  std::vector<Step> steps;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    for (const std::uint32_t first : {0u, 8u, 16u}) steps.push_back({epoch, first});
  }
  const Tensor x = testing::randn({8, 2, 2, 1}, 3);
  std::size_t step = 0;
  t.fit([&] {
    const NoGradGuard no_grad;
    const Tensor left_behind = t.model(x);
    set_dropout_position(
        t.model, {.seed = 5, .epoch = steps[step].epoch, .first_index = steps[step].first_index});
    CHECK_SAME_BITS(t.model(x), left_behind);
    set_dropout_position(t.model, {.seed = 5, .epoch = 9, .first_index = 0});
    CHECK_FALSE(testing::same_bits(t.model(x), left_behind).ok);
    ++step;
  });
  CHECK(step == steps.size());
}

}  // namespace octet
