#include "qat/verify.h"
#include "tests/qat/quadrants.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

}  // namespace

TEST_CASE("qat: training from random weights learns, and the integer graph has learned it") {
  struct Case {
    Norm norm;
    QScheme weight;
    bool residual = false;
  };
  for (const Case& c : {Case{Norm::kNone, QScheme::kPerChannelSymmetric},
                        Case{Norm::kBatch, QScheme::kPerChannelSymmetric},
                        Case{Norm::kBatch, QScheme::kPerTensorSymmetric},
                        Case{Norm::kBatch, QScheme::kPerChannelSymmetric, true},
                        Case{Norm::kNone, QScheme::kPerTensorSymmetric, true}}) {
    CAPTURE(static_cast<int>(c.norm));
    CAPTURE(name_of(c.weight));
    CAPTURE(c.residual);
    Small model({.norm = c.norm, .residual = c.residual});
    initialize(model, 1);
    QConfig qconfig;
    qconfig.weight.qscheme = c.weight;
    qat::prepare(model, kImage, qconfig);
    const Problem train = quadrants(64, 1), test = quadrants(64, 2);
    const Tensor x = real_images(train.pixels, kInput);
    float first = 0.0f, last = 0.0f;
    for (int i = 0; i < 60; ++i) {
      qat::apply_schedule(model, i, {.freeze_observer_epoch = 40, .freeze_bn_epoch = 50});
      last = step(model, x, train.labels, 0.05f);
      if (i == 0) first = last;
    }
    CHECK(first > 1.0f);
    CHECK(last < 0.3f * first);

    const ir::Graph graph = qat::convert(model, convert_options(kInput));
    CHECK(qat::verify(model, graph, test.pixels, {.input = kInput}).mismatched == 0);
    model.eval();
    const Tensor logits = model(qat::input_codes(test.pixels, {64, 8, 8, 3}, kInput));
    CHECK(accuracy(logits, test.labels) > 0.9);
  }
}

// The twin rounds as training did: only what training cannot know (the rounding of the bias and of
// an exact tie) may differ, so nearly every code is the same.
TEST_CASE("qat: with frozen statistics training sees the numbers that the twin computes") {
  struct Case {
    QScheme weight;
    bool residual;
  };
  for (const Case& c :
       {Case{QScheme::kPerChannelSymmetric, false}, Case{QScheme::kPerTensorSymmetric, false},
        Case{QScheme::kPerChannelSymmetric, true}, Case{QScheme::kPerTensorSymmetric, true}}) {
    CAPTURE(name_of(c.weight));
    CAPTURE(c.residual);
    Small model({.residual = c.residual});
    randomize(model, 2);
    QConfig qconfig = min_max_qconfig();
    qconfig.weight.qscheme = c.weight;
    qat::prepare(model, kImage, qconfig);
    const auto pixels = random_pixels(16, 1);
    const Tensor x = real_images(pixels, kInput);
    calibrate(model, x);
    qat::apply_schedule(model, 0, {.freeze_observer_epoch = 0, .freeze_bn_epoch = 0});
    model.train();
    const Tensor real = model(x).detach();
    model.eval();
    const Tensor logits = model(qat::input_codes(pixels, {16, 8, 8, 3}, kInput));
    const float scale = logits.qparams()->scale;
    double worst = 0.0, largest = 0.0;
    for (std::int64_t i = 0; i < real.numel(); ++i) {
      const double got = double{scale} * logits.data<std::int32_t>()[i];
      worst = std::max(worst, std::fabs(got - double{real.data()[i]}));
      largest = std::max(largest, std::fabs(double{real.data()[i]}));
    }
    CHECK(largest > 0.0);
    CHECK(worst < 0.01 * largest);
  }
}

TEST_CASE("qat: gradients reach every parameter of every leaf") {
  for (const QScheme scheme : {QScheme::kPerChannelSymmetric, QScheme::kPerTensorSymmetric}) {
    CAPTURE(name_of(scheme));
    EveryLeaf model({});
    randomize(model, 3);
    QConfig qconfig;
    qconfig.weight.qscheme = scheme;
    qat::prepare(model, kImage, qconfig);
    const Tensor x = real_images(random_pixels(16, 1), kInput);
    CHECK_THROWS_WITH_AS(model(x), doctest::Contains("[drop]"), Error);
    set_dropout_position(model, {.seed = 1, .epoch = 0, .first_index = 0});
    Tensor labels = Tensor::zeros({16}, DType::kI32);
    for (int i = 0; i < 16; ++i) labels.mutable_data<std::int32_t>()[i] = i % 5;
    backward(cross_entropy(model(x), labels));
    for (const NamedTensor& t : model.named_parameters()) {
      CAPTURE(t.name);
      REQUIRE(t.tensor.grad().defined());
      double sum = 0.0;
      for (std::int64_t i = 0; i < t.tensor.numel(); ++i) {
        sum += std::fabs(double{t.tensor.grad().data()[i]});
      }
      CHECK(sum > 0.0);
    }
  }
}

TEST_CASE("schedule: a function of the epoch") {
  Small model({});
  randomize(model, 4);
  qat::prepare(model, kImage, {});
  const qat::Schedule schedule{.freeze_observer_epoch = 2, .freeze_bn_epoch = 3};
  const Tensor mean = find(model.named_buffers(), "conv.bn.running_mean");
  const Tensor range = find(model.named_buffers(), "conv.activation_fake_quant.max_val");
  struct Expected {
    int epoch;
    bool range_moves, mean_moves;
  };
  const NoGradGuard no_grad;
  std::uint64_t seed = 1;
  for (const Expected& e :
       {Expected{0, true, true}, Expected{1, true, true}, Expected{2, false, true},
        Expected{3, false, false}, Expected{1, true, true}}) {
    CAPTURE(e.epoch);
    qat::apply_schedule(model, e.epoch, schedule);
    const Tensor mean_before = mean.clone(), range_before = range.clone();
    model(real_images(random_pixels(16, seed++), kInput));
    CHECK(bool(same_bits(mean, mean_before)) == !e.mean_moves);
    CHECK(bool(same_bits(range, range_before)) == !e.range_moves);
  }
}

}  // namespace octet
