#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "nn/lowering.h"
#include "quant/fake_quantize.h"

namespace octet {

// A convolution or linear layer in integers, as the graph stores it. `lower` writes it down, the
// twin computes with it, and both take it from `make_integer_form`; the two *executions* share
// nothing.
struct IntegerForm {
  Shape weight_shape;               // [O, ...]
  std::vector<std::int8_t> weight;  // codes
  std::vector<float> weight_scale;  // [O]
  std::vector<std::int32_t> bias;   // [O], scale S_x S_w[c]; the input's zero point is not folded
  std::vector<Requant> requant;     // [O], of S_x S_w[c] / S_y
  QParams input;
  QParams output;  // for logits: the common scale, zero point 0
  QRange clamp;    // of the output codes; not for logits
};

// What a layer is in real numbers: y_c = factor[c] * sum(x w_c) + bias[c].
struct RealForm {
  const Tensor& weight;       // [O, ...] as it is fake-quantized
  std::vector<float> factor;  // [O]: gamma / sigma where the weight is not folded; empty for all 1
  std::vector<float> bias;    // [O]; empty for none
};

// Codes sign(factor) q and S_w[c] = s_w |factor|, with q and s_w of the weight's quantizer; where
// the bias would not fit, S_w[c] is raised and the channel re-coded, eq. (6). A channel without
// weights takes S_w[c] = |b| / (S_x 2^20), and 1 if it has no bias either.
// `output`: parameters of the output; nothing for logits, whose scale is max_c(S_x S_w[c]) / 64
// over the channels that have weights, or as much more as keeps them in int32, eq. (10a). Throws
// Error if the quantizer was never calibrated or a ratio of scales is out of range.
IntegerForm make_integer_form(const RealForm& real, const FakeQuantize& weight_fake_quant,
                              QParams input, std::optional<QParams> output, QRange clamp);

// Stores the constants weight, bias, weight_scale, multiplier and shift of node `name`.
void add_constants(ir::Graph& graph, const std::string& name, const IntegerForm& form);

}  // namespace octet
