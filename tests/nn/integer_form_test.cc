#include "nn/integer_form.h"

#include <cmath>
#include <limits>

#include "tests/testing.h"

namespace octet {
namespace {

constexpr TensorQConfig kPerChannel{.qscheme = QScheme::kPerChannelSymmetric,
                                    .observer = ObserverKind::kMinMax};
constexpr QParams kInput{0.5f, 3}, kOutput{0.25f, 0};

IntegerForm form_of(const Tensor& weight, std::vector<float> factor, std::vector<float> bias,
                    std::optional<QParams> output = kOutput) {
  FakeQuantize f(TensorRole::kWeight, kPerChannel, weight.dim(0));
  f(weight);
  return make_integer_form({weight, std::move(factor), std::move(bias)}, f, kInput, output,
                           kActivationRange);
}

using Codes = std::vector<std::int8_t>;

}  // namespace

TEST_CASE("integer form: codes, scales, bias and multipliers of a plain layer") {
  const IntegerForm f =
      form_of(Tensor::from({127.0f, -63.0f, 1.0f, 254.0f}, {2, 2}), {}, {3.0f, -2.0f});
  CHECK(f.weight == Codes{127, -63, 1, 127});  // 0.5 rounds up
  CHECK(f.weight_scale == std::vector<float>{1.0f, 2.0f});
  CHECK(f.bias == std::vector<std::int32_t>{6, -2});
  CHECK(f.requant[0] == make_requant(2.0));
  CHECK(f.requant[1] == make_requant(4.0));
  CHECK(f.output == kOutput);
}

TEST_CASE("integer form: batch norm's factor goes into scale and sign, also when it is negative") {
  const Tensor w = Tensor::from({127.0f, -63.0f, 127.0f, -63.0f, 127.0f, -63.0f}, {3, 2});
  const IntegerForm f = form_of(w, {0.5f, -0.5f, 0.0f}, {1.0f, 1.0f, 1.0f});
  CHECK(f.weight == Codes{127, -63, -127, 63, 0, 0});
  CHECK(f.weight_scale[0] == 0.5f);
  CHECK(f.weight_scale[1] == 0.5f);
  CHECK(f.bias[0] == 4);
  // gamma = 0: the bias alone is left and decides the scale: 1 / (0.5 2^20)
  CHECK(f.weight_scale[2] == 0x1p-19f);
  CHECK(f.bias[2] == 1 << 20);
}

TEST_CASE("integer form: the scale of a channel is raised until its bias fits, and re-coded") {
  // S_w = 2^-30, so that a bias of 2^10 is 2^41 steps of S_x S_w.
  const float tiny = 0x1p-30f;
  const Tensor w = Tensor::from({127.0f * tiny, -64.0f * tiny, 127.0f, 0.0f}, {2, 2});
  const IntegerForm f = form_of(w, {}, {1024.0f, 1024.0f});
  CHECK(f.weight_scale[0] == 0x1p-19f);  // |b| / (S_x 2^30)
  CHECK(f.bias[0] == 1 << 30);
  CHECK(f.weight == Codes{0, 0, 127, 0});  // 127 * 2^-30 is less than half of 2^-19
  CHECK(f.weight_scale[1] == 1.0f);
  CHECK(f.bias[1] == 2048);
}

TEST_CASE("integer form: a channel without weights and bias has scale 1") {
  const IntegerForm f = form_of(Tensor::zeros({2, 3}), {0.0f, 2.0f}, {0.0f, 0.0f});
  CHECK(f.weight_scale == std::vector<float>{1.0f, 1.0f});
  CHECK(f.bias == std::vector<std::int32_t>{0, 0});
  const IntegerForm denormal = form_of(Tensor::full({1, 3}, 1e-3f), {1e-38f}, {0.0f});
  CHECK(denormal.weight_scale == std::vector<float>{1.0f});
  CHECK(denormal.weight == Codes{0, 0, 0});
}

TEST_CASE("integer form: logits share the scale of the coarsest channel that has weights") {
  const Tensor w = Tensor::from({127.0f / 64.0f, 0.0f, 0.0f, 0.0f, 127.0f / 128.0f, 0.0f}, {3, 2});
  const IntegerForm f = form_of(w, {}, {}, std::nullopt);
  CHECK(f.output == QParams{0.5f / 64.0f / 64.0f, 0});
  CHECK(f.requant[0] == make_requant(64.0));
  CHECK(f.requant[2] == make_requant(32.0));
}

TEST_CASE("integer form: the scale of logits is raised just as far as int32 needs, eq. (10a)") {
  // One weight of code 127 at S_w = 1/127 in a row of two, and none in the other.
  const Tensor w = Tensor::from({1.0f, 0.0f, 0.0f, 0.0f}, {2, 2});
  const double unit = 0.5 * double{1.0f / 127.0f};
  const auto largest = [&](const IntegerForm& f, std::size_t c) {  // accumulator of channel c
    const std::int64_t weight = f.weight[2 * c];                   // the channel's only one
    return std::max(std::abs(f.bias[c] + (255 - kInput.zero_point) * weight),
                    std::abs(f.bias[c] - kInput.zero_point * weight));
  };
  for (const double steps : {0.0, 0x1p24, 0x1p25, 0x1p26, -0x1p26, 0x1p29, -0x1p29}) {
    CAPTURE(steps);
    const IntegerForm f = form_of(w, {}, {static_cast<float>(steps * unit), 0.0f}, std::nullopt);
    const std::int64_t acc = largest(f, 0);
    const double least = unit * static_cast<double>(acc) / (0x1p31 - 0x1p8);
    CHECK(f.output.scale == static_cast<float>(std::max(unit / 64.0, least)));
    CHECK((f.output.scale == static_cast<float>(unit / 64.0)) == (std::fabs(steps) < 0x1p25));
    for (const std::int64_t sign : {1, -1}) {
      const auto logit = requantize_to_s32(static_cast<std::int32_t>(sign * acc), f.requant[0]);
      CHECK(logit < std::numeric_limits<std::int32_t>::max());
      CHECK(logit > std::numeric_limits<std::int32_t>::min());
      const double real = static_cast<double>(sign * acc) * unit;
      CHECK(std::fabs(logit * double{f.output.scale} - real) <= 2.0 * f.output.scale);
    }
  }
  // The bias of a channel without weights counts too.
  const IntegerForm f = form_of(w, {}, {0.0f, 1e6f}, std::nullopt);
  CHECK(f.output.scale == static_cast<float>(1e6 / (0x1p31 - 0x1p8)));
}

TEST_CASE("integer form: what was never calibrated, or has diverged, is an error") {
  const Tensor w = Tensor::full({1, 2}, 1.0f);
  const FakeQuantize blank(TensorRole::kWeight, kPerChannel, 1);
  CHECK_THROWS_AS(make_integer_form({w, {}, {}}, blank, kInput, kOutput, kActivationRange), Error);
  CHECK_THROWS_AS(form_of(w, {std::nanf("")}, {}), Error);
  CHECK_THROWS_AS(form_of(w, {}, {INFINITY}), Error);
}

}  // namespace octet
