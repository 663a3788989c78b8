#include "qat/convert.h"

#include "tests/qat/nets.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

class EndsInConvolution final : public Module {
  Tensor forward(const Tensor& x) override { return conv_(x); }
  ConvBnAct& conv_ = add<ConvBnAct>("conv", {.in = 3, .out = 4});
};

}  // namespace

TEST_CASE(
    "convert: a model that was never prepared or calibrated is an error that names the layer") {
  Small model({});
  randomize(model, 1);
  CHECK_THROWS_WITH_AS(qat::convert(model, convert_options(kInput)),
                       doctest::Contains("[conv] cannot be converted: prepare"), Error);
  qat::prepare(model, kImage, {});
  CHECK_THROWS_WITH_AS(qat::convert(model, convert_options(kInput)),
                       doctest::Contains("[conv] cannot be converted: it was never calibrated"),
                       Error);
  model.eval();
  const Tensor codes = qat::input_codes(random_pixels(1, 1), {1, 8, 8, 3}, kInput);
  CHECK_THROWS_WITH_AS(model(codes), doctest::Contains("[conv]"), Error);

  calibrate(model, real_images(random_pixels(4, 1), kInput));
  CHECK_NOTHROW(qat::convert(model, convert_options(kInput)));
  qat::enable_fake_quant(model, false);
  CHECK_THROWS_WITH_AS(qat::convert(model, convert_options(kInput)),
                       doctest::Contains("fake quantization is off"), Error);
}

TEST_CASE(
    "convert: one node per leaf, two with a shortcut, dropout gone, the identity table left out") {
  EveryLeaf model({});
  randomize(model, 2);
  qat::prepare(model, kImage, {});
  calibrate(model, real_images(random_pixels(4, 1), kInput));
  const ir::Graph graph = qat::convert(model, convert_options(kInput));
  std::vector<std::string> names;
  for (const ir::Node& node : graph.nodes) names.push_back(node.name);
  // The first operand of concat has the range of the result, so its codes are copied.
  CHECK(names == std::vector<std::string>{"stem", "grouped", "join", "residual.conv", "residual",
                                          "depthwise", "concat.requantize1", "concat", "wide",
                                          "deep", "max", "average", "global", "flatten", "fc"});
  CHECK(graph.value(graph.input).qparams == kInput.qparams);
  CHECK(graph.value(graph.output).shape == Shape{5});
  CHECK(graph.model == "net");
  CHECK(qat::convert(model, convert_options(kInput)) == graph);  // nothing moved
}

TEST_CASE("prepare: overrides, unknown layers, and the layer that makes the logits") {
  EveryLeaf model({});
  QConfig four_bits;
  four_bits.activation.bits = 4;
  CHECK_THROWS_WITH_AS(qat::prepare(model, kImage, {}, {{"steem", four_bits}}),
                       doctest::Contains("did you mean \"stem\"?"), UsageError);
  qat::prepare(model, kImage, {}, {{"stem", four_bits}});
  const auto leaves = named_leaves(model);
  CHECK(leaves[0].second->fake_quantizers()[1]->range() == QRange{0, 15});
  CHECK(leaves[1].second->fake_quantizers()[1]->range() == QRange{0, 255});
  CHECK(leaves.back().second->fake_quantizers().size() == 1);  // logits: the weight only
  CHECK_THROWS_AS(qat::prepare(model, kImage, {}), Error);

  EndsInConvolution bad;
  CHECK_THROWS_WITH_AS(qat::prepare(bad, kImage, {}), doctest::Contains("[conv] makes the model's"),
                       Error);
}

TEST_CASE("twin: codes and real numbers do not mix") {
  Small model({});
  randomize(model, 3);
  const auto pixels = random_pixels(2, 1);
  const Tensor real = real_images(pixels, kInput);
  const Tensor codes = qat::input_codes(pixels, {2, 8, 8, 3}, kInput);
  CHECK_SAME_BITS(qat::input_codes(real, kInput.qparams), codes);
  CHECK_THROWS_WITH_AS(model(codes), doctest::Contains("its input is codes"), Error);
  qat::prepare(model, kImage, {});
  calibrate(model, real);
  CHECK_THROWS_WITH_AS(model(codes), doctest::Contains("its input is codes"), Error);  // training
  model.eval();
  CHECK_THROWS_WITH_AS(model(real), doctest::Contains("no quantization parameters"), Error);
  CHECK(model(codes).dtype() == DType::kI32);
}

TEST_CASE("calibration: the float model's results, and its statistics stay") {
  EveryLeaf model({});
  randomize(model, 4);
  model.eval();
  const Tensor x = real_images(random_pixels(4, 1), kInput);
  const Tensor expected = model(x).detach();
  const Tensor mean = find(model.named_buffers(), "stem.bn.running_mean").clone();
  model.train();
  qat::prepare(model, kImage, {});
  {
    const qat::CalibrationGuard guard(model);
    CHECK_SAME_BITS(model(x).detach(), expected);
  }
  CHECK(model.is_training());
  CHECK_SAME_BITS(find(model.named_buffers(), "stem.bn.running_mean"), mean);
  for (const auto& [name, leaf] : named_leaves(model)) {
    for (const FakeQuantize* f : leaf->fake_quantizers()) {
      CHECK(f->calibrated());
      CHECK_FALSE(f->observer_enabled());
      CHECK(f->fake_quant_enabled());
    }
  }
  CHECK(find(model.named_buffers(), "stem.activation_fake_quant.zero_point")
            .data<std::int32_t>()[0] == 0);  // after ReLU
}

TEST_CASE("prepared model: a copy with the same parameters and buffers is the same model") {
  Small a({}), b({});
  randomize(a, 5);
  for (Module* m : {&a, &b}) qat::prepare(*m, kImage, {});
  calibrate(a, real_images(random_pixels(8, 1), kInput));
  const auto copy = [](const std::vector<NamedTensor>& from, std::vector<NamedTensor> to) {
    REQUIRE(from.size() == to.size());
    for (std::size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_from(from[i].tensor);
  };
  copy(a.named_parameters(), b.named_parameters());
  copy(a.named_buffers(), b.named_buffers());
  CHECK(qat::convert(a, convert_options(kInput)) == qat::convert(b, convert_options(kInput)));
}

}  // namespace octet
