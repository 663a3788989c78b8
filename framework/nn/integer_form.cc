#include "nn/integer_form.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "ir/weight_sums.h"

namespace octet {
namespace {

bool usable(float scale) {
  return scale > 0.0f && std::isnormal(scale) && std::isnormal(1.0f / scale);
}

// The codes of one channel's weights: the quantizer's range, and one more at the low end if its
// min_val says that they reach it, -128 of 8 bits. Our own never do, eq. (4); a network that was
// quantized elsewhere may.
QRange weight_range(const FakeQuantize& weight_fake_quant, std::int64_t channel) {
  QRange range = weight_fake_quant.range();
  const auto lowest = static_cast<float>(range.quant_min - 1);
  float scale = 0.0f, min_val = 0.0f;
  for (const auto& [name, tensor] : weight_fake_quant.buffers()) {
    const std::int64_t i = tensor.numel() == 1 ? 0 : channel;
    if (name == "scale") scale = tensor.data()[i];
    if (name == "min_val") min_val = tensor.data()[i];
  }
  if (min_val == lowest * scale) --range.quant_min;
  return range;
}

// What is written for one channel.
struct Channel {
  float weight_scale = 1.0f;
  std::int32_t bias = 0;
  bool zero = true;  // has no weights
};

// w: the channel's `count` weights, quantized at `scale` and multiplied by `factor`; the codes go
// to `codes`. A negative factor negates the codes, so then there is no -128.
Channel make_channel(const float* w, std::int64_t count, float scale, float factor, float bias,
                     float input_scale, QRange range, std::int8_t* codes) {
  Channel channel;
  const float folded = scale * std::fabs(factor);
  if (factor < 0.0f) range.quant_min = -range.quant_max;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t q = folded == 0.0f ? 0 : quantize_one(w[i], 1.0f / scale, 0, range);
    codes[i] = static_cast<std::int8_t>(factor < 0.0f ? -q : q);
    channel.zero = channel.zero && q == 0;
  }
  // Without weights the bias alone fixes the scale: 2^20 steps hold it precisely, and leave as much
  // to the multiplier.
  float fitted = channel.zero ? fit_weight_scale(0.0f, bias * 0x1p10f, input_scale)
                              : fit_weight_scale(folded, bias, input_scale);
  if (!usable(fitted)) {  // numbers that are 0 for all purposes
    OCTET_CHECK(fitted < 1.0f, "weights of magnitude ", fitted, " cannot be quantized");
    fitted = 1.0f;
  }
  if (fitted != folded) {
    for (std::int64_t i = 0; i < count; ++i) {
      const float value = folded * static_cast<float>(codes[i]);
      codes[i] = static_cast<std::int8_t>(quantize_one(value, 1.0f / fitted, 0, range));
    }
  }
  channel.weight_scale = fitted;
  channel.bias = quantize_bias(bias, input_scale, fitted);
  return channel;
}

// Largest magnitude that the accumulator of a channel can end with: code 255 at the weights of one
// sign and code 0 at those of the other.
std::int64_t largest_accumulator(std::span<const std::int8_t> weights, std::int64_t bias,
                                 std::int64_t zero_point) {
  const auto [sum, magnitude] = ir::weight_sums(weights);
  const std::int64_t positive = (magnitude + sum) / 2, negative = (magnitude - sum) / 2;
  const std::int64_t folded = bias - zero_point * sum;
  return std::max(std::abs(folded + 255 * positive), std::abs(folded - 255 * negative));
}

// eq. (10a): the common scale of logits. As fine as the coarsest channel that has weights, times
// 64, unless some input could then give a logit beyond int32: just so coarse that none can.
QParams logits_qparams(const std::vector<Channel>& channels, const IntegerForm& form) {
  constexpr double kLargestLogit = 0x1p31 - 0x1p8;  // less than INT32_MAX by what (8) rounds
  const double input_scale = form.input.scale;
  const std::size_t count = form.weight.size() / channels.size();
  float largest = 0.0f;
  double least = 0.0;  // scale that keeps all channels in int32
  for (std::size_t c = 0; c < channels.size(); ++c) {
    if (!channels[c].zero) largest = std::max(largest, channels[c].weight_scale);
    const auto weights = std::span(form.weight).subspan(c * count, count);
    const std::int64_t acc = largest_accumulator(weights, channels[c].bias, form.input.zero_point);
    const double reach = input_scale * double{channels[c].weight_scale} * static_cast<double>(acc);
    least = std::max(least, reach / kLargestLogit);
  }
  if (largest == 0.0f) largest = 1.0f;
  return {static_cast<float>(std::max(input_scale * double{largest} / 64.0, least)), 0};
}

}  // namespace

IntegerForm make_integer_form(const RealForm& real, const FakeQuantize& weight_fake_quant,
                              QParams input, std::optional<QParams> output, QRange clamp) {
  const std::int64_t channels = real.weight.dim(0), count = real.weight.numel() / channels;
  const std::vector<float> scales = weight_fake_quant.channel_scales(channels);
  IntegerForm form;
  form.weight_shape = real.weight.shape();
  form.weight.resize(static_cast<std::size_t>(real.weight.numel()));
  form.input = input;
  form.clamp = clamp;
  std::vector<Channel> made;
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    const float factor = real.factor.empty() ? 1.0f : real.factor[i];
    const float bias = real.bias.empty() ? 0.0f : real.bias[i];
    OCTET_CHECK(std::isfinite(factor) && std::isfinite(bias), "channel ", c,
                " has a factor or bias that is not finite; training has diverged");
    made.push_back(make_channel(real.weight.data() + c * count, count, scales[i], factor, bias,
                                input.scale, weight_range(weight_fake_quant, c),
                                form.weight.data() + c * count));
    form.weight_scale.push_back(made.back().weight_scale);
    form.bias.push_back(made.back().bias);
  }

  form.output = output ? *output : logits_qparams(made, form);
  for (const float scale : form.weight_scale) {
    form.requant.push_back(make_requant(requant_ratio(input.scale, scale, form.output.scale)));
  }
  return form;
}

void add_constants(ir::Graph& graph, const std::string& name, const IntegerForm& form) {
  std::vector<std::int32_t> multiplier;
  std::vector<std::int8_t> shift;
  for (const Requant& r : form.requant) {
    multiplier.push_back(r.multiplier);
    shift.push_back(static_cast<std::int8_t>(r.shift));
  }
  const Shape channels{form.weight_shape[0]};
  graph.add_constant(name, "weight", form.weight_shape, form.weight);
  graph.add_constant(name, "bias", channels, form.bias);
  graph.add_constant(name, "weight_scale", channels, form.weight_scale);
  graph.add_constant(name, "multiplier", channels, multiplier);
  graph.add_constant(name, "shift", channels, shift);
}

}  // namespace octet
