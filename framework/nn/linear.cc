#include "nn/linear.h"

#include <cmath>

#include "nn/twin.h"
#include "ops/linear.h"

namespace octet {

Linear::Linear(Options options) : o_(options) {
  OCTET_CHECK(o_.in > 0 && o_.out > 0, "[linear] needs positive sizes, got in ", o_.in, ", out ",
              o_.out);
  weight_ = add_parameter("weight", Tensor::zeros({o_.out, o_.in}));
  if (o_.bias) bias_ = add_parameter("bias", Tensor::zeros({o_.out}));
}

void Linear::reset_parameters(Initializer& init) {
  const float bound = 1.0f / std::sqrt(static_cast<float>(o_.in));
  init.uniform(weight_, bound);
  if (bias_.defined()) init.uniform(bias_, bound);
}

void Linear::make_logits() {
  OCTET_CHECK(!prepared(), "[", full_name(), "] was prepared before");
  OCTET_CHECK(o_.act == Act::kNone, "[", full_name(),
              "] makes the model's output and has an activation; logits have none");
  logits_ = true;
}

void Linear::prepare(const QConfig& qconfig) {
  weight_fake_quant_ =
      &add_fake_quantize("weight_fake_quant", TensorRole::kWeight, qconfig.weight, o_.out);
  if (logits_) return;
  activation_fake_quant_ =
      &add_fake_quantize("activation_fake_quant", TensorRole::kActivation, qconfig.activation);
}

Tensor Linear::forward(Inputs x) {
  const Tensor weight = prepared() ? (*weight_fake_quant_)(weight_) : weight_;
  const bool relu = o_.act == Act::kRelu;
  Tensor y = linear(x[0], weight, bias_, relu ? Activation::kRelu : Activation::kNone);
  if (!relu) y = activate(y, o_.act);
  return activation_fake_quant_ == nullptr ? y : (*activation_fake_quant_)(y);
}

// Empty for a layer without.
std::vector<float> Linear::bias() const {
  if (!bias_.defined()) return {};
  return {bias_.data(), bias_.data() + o_.out};
}

FloatForm Linear::folded() const {
  FloatConv2d form{{weight_.data(), weight_.data() + weight_.numel()}, bias()};
  form.bias.resize(static_cast<std::size_t>(o_.out));
  form.in = o_.in;
  form.out = o_.out;
  form.act = o_.act;
  return form;
}

IntegerForm Linear::integer_form(QParams input) const {
  if (logits_) {
    return make_integer_form({weight_, {}, bias()}, *weight_fake_quant_, input, {},
                             kActivationRange);
  }
  const QParams output = activation_fake_quant_->qparams();
  return make_integer_form({weight_, {}, bias()}, *weight_fake_quant_, input, output,
                           clamp_range(o_.act, output, activation_fake_quant_->range()));
}

Tensor Linear::forward_codes(Inputs x) const {
  IntegerForm form = integer_form(*x[0].qparams());
  return logits_ ? linear_logits(x[0], std::move(form)) : linear_codes(x[0], std::move(form));
}

ir::ValueId Linear::lower(Lowering& lowering) const {
  const IntegerForm form = integer_form(lowering.input_qparams());
  add_constants(lowering.graph, lowering.name, form);
  return lowering.emit(
      ir::QLinear{.clamp_min = form.clamp.quant_min, .clamp_max = form.clamp.quant_max});
}

}  // namespace octet
