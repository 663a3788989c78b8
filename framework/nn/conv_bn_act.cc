#include "nn/conv_bn_act.h"

#include <cmath>

#include "autograd/node.h"
#include "nn/integer_add.h"
#include "nn/trace.h"
#include "nn/twin.h"
#include "ops/add.h"

namespace octet {
namespace {

constexpr BatchNormOptions kBatchNorm;  // momentum and eps

std::vector<float> to_vector(const Tensor& t) { return {t.data(), t.data() + t.numel()}; }

float sigma_of(float variance) { return std::sqrt(variance + kBatchNorm.eps); }

}  // namespace

ConvBnAct::ConvBnAct(Options options) : o_(options) {
  OCTET_CHECK(o_.in > 0 && o_.out > 0 && o_.kernel > 0 && o_.stride > 0 && o_.padding >= 0 &&
                  o_.groups > 0 && o_.in % o_.groups == 0 && o_.out % o_.groups == 0,
              "[conv] needs positive sizes, and groups that divide the channels: in ", o_.in,
              ", out ", o_.out, ", kernel ", o_.kernel, ", stride ", o_.stride, ", padding ",
              o_.padding, ", groups ", o_.groups);
  weight_ =
      add_parameter("weight", Tensor::zeros({o_.out, o_.kernel, o_.kernel, o_.in / o_.groups}));
  if (o_.norm == Norm::kBatch) {
    gamma_ = add_parameter("bn.weight", Tensor::full({o_.out}, 1.0f));
    beta_ = add_parameter("bn.bias", Tensor::zeros({o_.out}));
    running_mean_ = add_buffer("bn.running_mean", Tensor::zeros({o_.out}));
    running_var_ = add_buffer("bn.running_var", Tensor::full({o_.out}, 1.0f));
  } else if (o_.bias) {
    bias_ = add_parameter("bias", Tensor::zeros({o_.out}));
  }
}

void ConvBnAct::reset_parameters(Initializer& init) {
  const float fan_in = static_cast<float>(weight_.numel() / o_.out);
  if (o_.init == ConvInit::kNormalFanOut) {
    const auto fan_out = static_cast<float>(o_.kernel * o_.kernel * o_.out);
    init.normal(weight_, std::sqrt(2.0f / fan_out));
  } else {
    init.uniform(weight_, 1.0f / std::sqrt(fan_in));
  }
  if (bias_.defined()) init.uniform(bias_, 1.0f / std::sqrt(fan_in));
  if (o_.norm == Norm::kNone) return;
  init.constant(gamma_, o_.initial_gamma);
  init.constant(beta_, 0.0f);
}

void ConvBnAct::prepare(const QConfig& qconfig) {
  weight_fake_quant_ =
      &add_fake_quantize("weight_fake_quant", TensorRole::kWeight, qconfig.weight, o_.out);
  const auto activation = [&](const char* name) {
    return &add_fake_quantize(name, TensorRole::kActivation, qconfig.activation);
  };
  if (o_.shortcut) conv_fake_quant_ = activation("conv_fake_quant");
  activation_fake_quant_ = activation("activation_fake_quant");
  if (!o_.shortcut) conv_fake_quant_ = activation_fake_quant_;
}

void ConvBnAct::check_inputs(Inputs x) const {
  OCTET_CHECK(x.size() == (o_.shortcut ? 2u : 1u), "takes ",
              o_.shortcut ? "an input and a shortcut" : "one input", ", got ", x.size(),
              " tensors");
}

Tensor ConvBnAct::convolve(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           Activation activation) const {
  return conv2d(x, weight, bias,
                {.stride = o_.stride,
                 .padding = o_.padding,
                 .groups = o_.groups,
                 .activation = activation,
                 .max_pool = pool_in_pass_});
}

Tensor ConvBnAct::call_with_pool(MaxPool2d& pool, const Tensor& x) {
  const Pool2dOptions& window = pool.options();
  const bool halves = window.kernel == 2 && window.stride == 2 && window.padding == 0;
  const bool plain =
      o_.norm == Norm::kNone && !o_.shortcut && (o_.act == Act::kNone || o_.act == Act::kRelu);
  if (prepared() || pool.prepared() || is_tracing() || !halves || !plain) {
    return pool((*this)(x));
  }
  struct Scope {
    bool& flag;
    explicit Scope(bool& f) : flag(f) { flag = true; }
    ~Scope() { flag = false; }
  };
  const Scope scope(pool_in_pass_);
  return (*this)(x);
}

// The convolution alone, with what batch norm will ask for.
ConvolutionResult ConvBnAct::convolve_for_norm(const Tensor& x, const Tensor& weight) const {
  if (!batch_statistics()) return {convolve(x, weight, {}), {}};
  return conv2d_with_statistics(x, weight,
                                {.stride = o_.stride, .padding = o_.padding, .groups = o_.groups});
}

// act(batch_norm(conv.y) + shortcut); no shortcut if undefined.
Tensor ConvBnAct::normalize(const ConvolutionResult& conv, const Tensor& shortcut, Act act) {
  BatchNormOptions options = kBatchNorm;
  options.momentum = bn_momentum_;
  options.statistics =
      batch_statistics() ? BatchNormStatistics::kBatch : BatchNormStatistics::kRunning;
  if (act == Act::kRelu) options.activation = Activation::kRelu;
  const Tensor z = batch_norm(conv.y, gamma_, beta_, running_mean_, running_var_, options, shortcut,
                              conv.statistics);
  return act == Act::kRelu ? z : activate(z, act);
}

Tensor ConvBnAct::forward(Inputs x) {
  check_inputs(x);
  const Tensor shortcut = o_.shortcut ? x[1] : Tensor();
  if (!prepared()) return conv_norm_act(x[0], shortcut, o_.act);
  if (!o_.shortcut) return (*activation_fake_quant_)(conv_norm_act(x[0], {}, o_.act));
  // As in the integer graph: the convolution's output is rounded before the add.
  const Tensor y = (*conv_fake_quant_)(conv_norm_act(x[0], {}, Act::kNone));
  return (*activation_fake_quant_)(activate(octet::add(y, shortcut), o_.act));
}

// act(norm(conv(x)) + shortcut) with the fake-quantized weight of a prepared leaf; no shortcut if
// undefined.
Tensor ConvBnAct::conv_norm_act(const Tensor& x, const Tensor& shortcut, Act act) {
  const bool folded = prepared() && !weight_fake_quant_->per_channel();
  if (o_.norm == Norm::kBatch && folded) return activate(forward_folded(x), act);
  const Tensor weight = prepared() ? (*weight_fake_quant_)(weight_) : weight_;
  if (o_.norm == Norm::kBatch) return normalize(convolve_for_norm(x, weight), shortcut, act);
  if (shortcut.defined()) {
    return activate(octet::add(convolve(x, weight, bias_), shortcut), act);
  }
  if (act == Act::kRelu) return convolve(x, weight, bias_, Activation::kRelu);
  return activate(convolve(x, weight, bias_), act);
}

// One scale per tensor: the value is that of the quantized convolution, the gradient that of the
// float layer: the straight-through estimator at the layer's output.
Tensor ConvBnAct::forward_folded(const Tensor& x) {
  const ConvolutionResult unfolded = convolve_for_norm(x, weight_);
  const Tensor value = folded_value(x, unfolded);  // before the running statistics move
  return straight_through(value, normalize(unfolded));
}

// The weight is folded with the running sigma and then quantized; what the batch's sigma differs
// enters as a factor on the output, so gamma never divides.
//   unfolded: the convolution with the float weight, for the batch's statistics
Tensor ConvBnAct::folded_value(const Tensor& x, const ConvolutionResult& unfolded) {
  const NoGradGuard no_grad;
  Tensor mean = running_mean_.clone(), var = running_var_.clone();
  if (batch_statistics()) {  // momentum 1 leaves the batch's statistics in them
    BatchNormOptions batch = kBatchNorm;
    batch.momentum = 1.0f;
    batch_norm(unfolded.y, gamma_, beta_, mean, var, batch, {}, unfolded.statistics);
    const auto rows = static_cast<float>(unfolded.y.numel() / o_.out);
    for (std::int64_t c = 0; c < o_.out; ++c) var.mutable_data()[c] *= (rows - 1.0f) / rows;
  }
  Tensor correction = Tensor::empty({o_.out}), shift = Tensor::empty({o_.out});
  for (std::int64_t c = 0; c < o_.out; ++c) {
    const float sigma = sigma_of(var.data()[c]);
    correction.mutable_data()[c] = sigma_of(running_var_.data()[c]) / sigma;
    shift.mutable_data()[c] = beta_.data()[c] - gamma_.data()[c] * mean.data()[c] / sigma;
  }
  const Tensor y = convolve(x, (*weight_fake_quant_)(folded_weight()), Tensor());
  const BatchNormOptions scale_and_shift{.statistics = BatchNormStatistics::kRunning, .eps = 0.0f};
  return batch_norm(y, correction, shift, Tensor::zeros({o_.out}), Tensor::full({o_.out}, 1.0f),
                    scale_and_shift);
}

// weight * gamma / sigma with the running statistics.
Tensor ConvBnAct::folded_weight() const {
  const std::vector<float> factor = bn_factor();
  Tensor folded = weight_.clone();
  float* w = folded.mutable_data();
  const std::int64_t count = folded.numel() / o_.out;
  for (std::int64_t i = 0; i < folded.numel(); ++i) {
    w[i] *= factor[static_cast<std::size_t>(i / count)];
  }
  return folded;
}

// gamma / sigma with the running statistics.
std::vector<float> ConvBnAct::bn_factor() const {
  std::vector<float> factor;
  for (std::int64_t c = 0; c < o_.out; ++c) {
    factor.push_back(gamma_.data()[c] / sigma_of(running_var_.data()[c]));
  }
  return factor;
}

// beta - mean * gamma / sigma with the running statistics.
std::vector<float> ConvBnAct::folded_bias() const {
  const std::vector<float> factor = bn_factor();
  std::vector<float> bias = to_vector(beta_);
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] -= factor[c] * running_mean_.data()[c];
  return bias;
}

FloatForm ConvBnAct::folded() const {
  FloatConv2d form;
  if (o_.norm == Norm::kBatch) {
    form.weight = to_vector(folded_weight());
    form.bias = folded_bias();
  } else {
    form.weight = to_vector(weight_);
    if (bias_.defined()) form.bias = to_vector(bias_);
    form.bias.resize(static_cast<std::size_t>(o_.out));
  }
  form.in = o_.in;
  form.out = o_.out;
  form.kernel = o_.kernel;
  form.stride = o_.stride;
  form.padding = o_.padding;
  form.groups = o_.groups;
  form.shortcut = o_.shortcut;
  form.act = o_.act;
  return form;
}

IntegerForm ConvBnAct::integer_form(QParams input) const {
  const QParams output = conv_fake_quant_->qparams();
  const Act act = o_.shortcut ? Act::kNone : o_.act;
  const QRange clamp = clamp_range(act, output, conv_fake_quant_->range());
  if (o_.norm == Norm::kNone) {
    const std::vector<float> bias = bias_.defined() ? to_vector(bias_) : std::vector<float>{};
    return make_integer_form({weight_, {}, bias}, *weight_fake_quant_, input, output, clamp);
  }
  const std::vector<float> bias = folded_bias();
  if (weight_fake_quant_->per_channel()) {
    return make_integer_form({weight_, bn_factor(), bias}, *weight_fake_quant_, input, output,
                             clamp);
  }
  return make_integer_form({folded_weight(), {}, bias}, *weight_fake_quant_, input, output, clamp);
}

// The add after the convolution.
ir::QAdd ConvBnAct::integer_add(QParams shortcut) const {
  const QParams output = activation_fake_quant_->qparams();
  return make_integer_add(conv_fake_quant_->qparams(), shortcut, output,
                          clamp_range(o_.act, output, activation_fake_quant_->range()));
}

Tensor ConvBnAct::forward_codes(Inputs x) const {
  check_inputs(x);
  const Tensor y = conv2d_codes(x[0], integer_form(*x[0].qparams()),
                                {.stride = o_.stride, .padding = o_.padding, .groups = o_.groups});
  if (!o_.shortcut) return y;
  trace_inner(*this, "conv", y);
  return add_codes(y, x[1], integer_add(*x[1].qparams()), activation_fake_quant_->qparams());
}

ir::ValueId ConvBnAct::lower(Lowering& lowering) const {
  const IntegerForm form = integer_form(lowering.input_qparams());
  const ir::QConv2d conv{.stride = o_.stride,
                         .padding = o_.padding,
                         .groups = o_.groups,
                         .clamp_min = form.clamp.quant_min,
                         .clamp_max = form.clamp.quant_max};
  if (!o_.shortcut) {
    add_constants(lowering.graph, lowering.name, form);
    return lowering.emit(conv);
  }
  add_constants(lowering.graph, lowering.name + ".conv", form);
  const ir::QAdd sum = integer_add(lowering.input_qparams(1));
  lowering.inputs[0] =
      lowering.emit_inner("conv", conv, {lowering.inputs[0]}, lowering.output_shape(), form.output);
  return lowering.emit(sum);
}

}  // namespace octet
