#include <limits>

#include "ir/model_file.h"
#include "qat/verify.h"
#include "runtime/executor.h"
#include "tests/qat/nets.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

// Prepares, calibrates on random images, converts, and compares on others.
qat::VerifyReport check_parity(Module& model, const QConfig& qconfig,
                               const qat::InputEncoding& input = centered_input(3)) {
  qat::prepare(model, kImage, qconfig);
  calibrate(model, real_images(random_pixels(16, 1), input));
  const ir::Graph graph = qat::convert(model, convert_options(input));
  const auto pixels = random_pixels(21, 2);
  const qat::VerifyReport report =
      qat::verify(model, graph, pixels, {.input = input, .batch_size = 8});
  CHECK(report.images == 21);
  CHECK(report.mismatched == 0);
  CHECK(report.max_lsb == 0);
  CHECK(report.first_mismatch == "");
  return report;
}

}  // namespace

TEST_CASE("parity: a network of every leaf gives the same integers as its graph") {
  for (const Norm norm : {Norm::kBatch, Norm::kNone}) {
    CAPTURE(static_cast<int>(norm));
    EveryLeaf model({.norm = norm});
    randomize(model, 3);
    const qat::VerifyReport report = check_parity(model, min_max_qconfig());
    // 5 convolutions, add, convolution and its add, concat and an operand, 3 pools, flatten, logits
    CHECK(report.tensors == 15);
    const std::int64_t elements = 64 * (8 + 8 + 8 + 2 * 8 + 8 + 8 + 16 + 64) + 16 * 24 + 8 + 8 + 5;
    CHECK(report.elements == 21 * elements);
  }
}

TEST_CASE("parity: every scheme, and fewer bits") {
  QConfig per_tensor = min_max_qconfig();
  per_tensor.weight.qscheme = QScheme::kPerTensorSymmetric;
  QConfig symmetric = min_max_qconfig();
  symmetric.activation.qscheme = QScheme::kPerTensorSymmetric;
  QConfig four_bits = min_max_qconfig();
  four_bits.weight.bits = four_bits.activation.bits = 4;
  for (const QConfig& qconfig : {per_tensor, symmetric, four_bits}) {
    CAPTURE(name_of(qconfig.weight.qscheme));
    CAPTURE(qconfig.weight.bits);
    EveryLeaf model({});
    randomize(model, 4);
    check_parity(model, qconfig);
  }
}

TEST_CASE("parity: an input table that is not the identity is a tensor of its own") {
  qat::InputEncoding input = centered_input(3);
  for (std::size_t i = 0; i < input.table.size(); ++i) {
    input.table[i] = static_cast<std::uint8_t>((i / 3 * (i % 3 + 1)) % 256);
  }
  Small model({});
  randomize(model, 5);
  const qat::VerifyReport report = check_parity(model, min_max_qconfig(), input);
  CHECK(report.tensors == 4);  // input, conv, flatten, fc
}

TEST_CASE("parity: gamma of 0 and below, and channels that are switched off with a huge bias") {
  for (const QScheme scheme : {QScheme::kPerChannelSymmetric, QScheme::kPerTensorSymmetric}) {
    CAPTURE(name_of(scheme));
    Small model({.norm = Norm::kBatch, .act = Act::kNone});
    randomize(model, 6);
    float* gamma = find(model.named_parameters(), "conv.bn.weight").mutable_data();
    float* beta = find(model.named_parameters(), "conv.bn.bias").mutable_data();
    float* weight = find(model.named_parameters(), "conv.weight").mutable_data();
    gamma[0] = 0.0f;
    gamma[1] = -0.7f;
    gamma[2] = 1e-12f, beta[2] = 3.0f;  // the bias would not fit at this scale
    gamma[3] = 0.0f, beta[3] = 0.0f;
    std::fill_n(weight + 4 * 27, 27, 0.0f);
    beta[4] = -2.0f;
    std::fill_n(weight + 5 * 27, 27, 1e-20f);
    beta[5] = 1.0f;
    QConfig qconfig = min_max_qconfig();
    qconfig.weight.qscheme = scheme;
    check_parity(model, qconfig);
  }
}

// What is quantized stays close to what was there: parity alone would hold for nonsense.
TEST_CASE("parity: codes stand for the real numbers of the float model") {
  EveryLeaf model({});
  randomize(model, 7);
  model.eval();
  const qat::InputEncoding input = centered_input(3);
  const auto pixels = random_pixels(16, 1);
  const Tensor real = model(real_images(pixels, input)).detach();
  qat::prepare(model, kImage, min_max_qconfig());
  calibrate(model, real_images(pixels, input));
  model.eval();
  const Tensor logits = model(qat::input_codes(pixels, {16, 8, 8, 3}, input));
  double error = 0.0, power = 0.0, mean = 0.0;
  for (std::int64_t i = 0; i < real.numel(); ++i) mean += real.data()[i] / double(real.numel());
  for (std::int64_t i = 0; i < real.numel(); ++i) {
    const double got = double{logits.qparams()->scale} * logits.data<std::int32_t>()[i];
    error += (got - real.data()[i]) * (got - real.data()[i]);
    power += (real.data()[i] - mean) * (real.data()[i] - mean);
  }
  CHECK(power > 0.0);
  CHECK(error / power < 1e-3);  // 30 dB
}

TEST_CASE("verify: one weight code or one bias off by one is caught, and named") {
  Small model({.act = Act::kNone});  // no channel is dead
  randomize(model, 8);
  const qat::InputEncoding input = centered_input(3);
  qat::prepare(model, kImage, min_max_qconfig());
  calibrate(model, real_images(random_pixels(16, 1), input));
  const ir::Graph graph = qat::convert(model, convert_options(input));
  const auto pixels = random_pixels(64, 2);
  const qat::VerifyOptions options{.input = input};
  REQUIRE(qat::verify(model, graph, pixels, options).mismatched == 0);

  ir::Graph weight = graph;
  std::byte& code = weight.constants.at("conv.weight").bytes[5];
  code = static_cast<std::byte>(static_cast<int>(code) == 127 ? 126 : static_cast<int>(code) + 1);
  const qat::VerifyReport a = qat::verify(model, weight, pixels, options);
  CHECK(a.mismatched > 0);
  CHECK(a.max_lsb > 0);
  CHECK(a.first_mismatch.starts_with("conv ["));

  ir::Graph bias = graph;
  std::byte& low = bias.constants.at("fc.bias").bytes[0];
  low = static_cast<std::byte>(static_cast<int>(low) ^ 1);
  const qat::VerifyReport b = qat::verify(model, bias, pixels, options);
  CHECK(b.mismatched == 64);  // logits are finer than one step of the accumulator
  CHECK(b.first_mismatch.starts_with("fc ["));

  // One step of a convolution's accumulator is a small part of a code: some pixel is at the edge.
  const auto more = random_pixels(256, 3);
  for (std::size_t channel = 0; channel < 6; ++channel) {
    CAPTURE(channel);
    ir::Graph conv_bias = graph;
    std::byte& first = conv_bias.constants.at("conv.bias").bytes[4 * channel];
    first = static_cast<std::byte>(static_cast<int>(first) ^ 1);
    CHECK(qat::verify(model, conv_bias, more, options).mismatched > 0);
  }

  // The other way round: the model moves, the graph stays.
  find(model.named_parameters(), "fc.weight").mutable_data()[7] += 0.01f;
  CHECK(qat::verify(model, graph, pixels, options).mismatched > 0);
}

TEST_CASE(
    "verify: a file whose logits saturate, as older versions wrote them, still loads and runs") {
  const qat::InputEncoding input = centered_input(3);
  Small model({});
  randomize(model, 9);
  qat::prepare(model, kImage, min_max_qconfig());
  calibrate(model, real_images(random_pixels(4, 1), input));
  ir::Graph graph = qat::convert(model, convert_options(input));
  const std::vector<std::int32_t> bias(4, 1 << 27);  // 2^33 steps of the logits' scale
  const auto bytes = std::as_bytes(std::span(bias));
  graph.constants.at("fc.bias").bytes.assign(bytes.begin(), bytes.end());
  const ir::Graph read = ir::parse_model(ir::serialize_model(graph), "old");
  Executor executor(pack_model(read, default_isa()), {});
  std::vector<std::int32_t> logits(4);
  executor.run(random_pixels(1, 2), 1, logits);
  CHECK(logits == std::vector<std::int32_t>(4, std::numeric_limits<std::int32_t>::max()));
}

TEST_CASE("verify: with a shortcut both tensors of the layer are compared, each under its name") {
  Small model({.act = Act::kNone, .residual = true});
  randomize(model, 10);
  const qat::InputEncoding input = centered_input(3);
  qat::prepare(model, kImage, min_max_qconfig());
  calibrate(model, real_images(random_pixels(16, 1), input));
  const ir::Graph graph = qat::convert(model, convert_options(input));
  const auto pixels = random_pixels(128, 2);
  const qat::VerifyOptions options{.input = input};
  const qat::VerifyReport report = qat::verify(model, graph, pixels, options);
  CHECK(report.tensors == 5);  // conv, residual.conv, residual, flatten, fc
  CHECK(report.elements == 128 * (4 * 216 + 4));
  REQUIRE(report.mismatched == 0);

  for (const char* constant : {"residual.conv.weight", "residual.conv.bias"}) {
    CAPTURE(constant);
    ir::Graph mutant = graph;
    std::byte& low = mutant.constants.at(constant).bytes[0];
    low = static_cast<std::byte>(static_cast<int>(low) ^ 1);
    const qat::VerifyReport r = qat::verify(model, mutant, pixels, options);
    CHECK(r.mismatched > 0);
    CHECK(r.first_mismatch.starts_with("residual.conv ["));
  }
  // The sum alone: its parameters in the graph are proved by Graph::validate, so the model moves.
  for (const char* buffer :
       {"residual.activation_fake_quant.zero_point", "residual.activation_fake_quant.scale"}) {
    CAPTURE(buffer);
    Tensor t = find(model.named_buffers(), buffer);
    const Tensor before = t.clone();
    if (t.dtype() == DType::kI32) {
      t.mutable_data<std::int32_t>()[0] += 1;
    } else {
      t.mutable_data()[0] *= 1.01f;
    }
    const qat::VerifyReport r = qat::verify(model, graph, pixels, options);
    CHECK(r.mismatched > 0);
    CHECK(r.first_mismatch.starts_with("residual ["));
    t.copy_from(before);
  }
  CHECK(qat::verify(model, graph, pixels, options).mismatched == 0);
}

TEST_CASE("verify: a graph of another model is an error") {
  const qat::InputEncoding input = centered_input(3);
  Small model({});
  EveryLeaf other({});
  for (Module* m : {static_cast<Module*>(&model), static_cast<Module*>(&other)}) {
    randomize(*m, 9);
    qat::prepare(*m, kImage, min_max_qconfig());
    calibrate(*m, real_images(random_pixels(4, 1), input));
  }
  const ir::Graph graph = qat::convert(other, convert_options(input));
  CHECK_THROWS_AS(qat::verify(model, graph, random_pixels(1, 1), {.input = input}), Error);
}

}  // namespace octet
