#pragma once

#include "nn/act.h"
#include "nn/integer_form.h"
#include "nn/leaf.h"
#include "nn/pool.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"

namespace octet {

enum class Norm { kNone, kBatch };

// Initial weights of a convolution.
enum class ConvInit {
  kUniformFanIn,  // on +-1/sqrt(fan_in), PyTorch's default
  kNormalFanOut,  // standard deviation sqrt(2 / fan_out), as torchvision's ResNets: keeps the
                  // variance of gradients through ReLUs. He et al. 2015 (arXiv:1502.01852), eq. 14
};

// Convolution, batch normalization (or a bias), optionally a shortcut, and activation as one layer:
//   y = act(norm(conv(x)))  or, called with two tensors,  y = act(norm(conv(x)) + shortcut)
//   [N, H, W, in] -> [N, (H + 2 padding - kernel) / stride + 1, ..., out]
//   parameters: weight [out, kernel, kernel, in / groups], and bias [out] without batch norm or
//   bn.weight, bn.bias [out] with it; buffers bn.running_mean, bn.running_var [out].
// Batch norm in QAT (docs/quantization.md): quantization with one scale per channel commutes with
// the factor gamma / sigma, so training quantizes the unfolded weight and normalizes as always.
// With one scale per tensor the folded weight gamma / sigma w is quantized, with the running sigma,
// and the batch's sigma enters as a factor on the output.
//   Krishnamoorthi 2018 (arXiv:1806.08342), sec. 3.2.2.
// With a shortcut the integer form is two ops, "<name>.conv" (no activation) and the add "<name>",
// and two quantizers watch activations: conv_fake_quant norm(conv(x)), activation_fake_quant y.
class ConvBnAct final : public Leaf {
 public:
  struct Options {
    std::int64_t in = 0;
    std::int64_t out = 0;
    std::int64_t kernel = 1;
    std::int64_t stride = 1;
    std::int64_t padding = 0;
    std::int64_t groups = 1;
    Norm norm = Norm::kBatch;
    Act act = Act::kRelu;
    bool bias = true;       // read only without batch norm, whose beta is the bias
    bool shortcut = false;  // takes a second input, of the output's shape
    ConvInit init = ConvInit::kUniformFanIn;
    float initial_gamma = 1.0f;  // 0 makes the convolution's part vanish at first
  };
  explicit ConvBnAct(Options options);
  const Options& options() const { return o_; }

  // pool((*this)(x)), the same bits. A float model that nobody traces computes both in one pass
  // over memory where it can (no batch norm; windows of 2x2); the map between them then never
  // exists as a whole.
  Tensor call_with_pool(MaxPool2d& pool, const Tensor& x);

  ir::ValueId lower(Lowering& lowering) const override;
  void reset_parameters(Initializer& init) override;
  void freeze_bn_stats(bool on) override { bn_frozen_ = on; }
  void set_bn_momentum(float momentum) override { bn_momentum_ = momentum; }

 private:
  Tensor forward(Inputs x) override;
  Tensor forward_codes(Inputs x) const override;
  FloatForm folded() const override;
  void prepare(const QConfig& qconfig) override;

  void check_inputs(Inputs x) const;
  Tensor conv_norm_act(const Tensor& x, const Tensor& shortcut, Act act);
  Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  Activation activation = Activation::kNone) const;
  bool batch_statistics() const { return is_training() && !bn_frozen_; }
  ConvolutionResult convolve_for_norm(const Tensor& x, const Tensor& weight) const;
  Tensor normalize(const ConvolutionResult& conv, const Tensor& shortcut = Tensor(),
                   Act act = Act::kNone);
  Tensor forward_folded(const Tensor& x);
  Tensor folded_value(const Tensor& x, const ConvolutionResult& unfolded);
  Tensor folded_weight() const;
  std::vector<float> folded_bias() const;
  std::vector<float> bn_factor() const;
  IntegerForm integer_form(QParams input) const;
  ir::QAdd integer_add(QParams shortcut) const;

  Options o_;
  Tensor weight_, bias_;
  Tensor gamma_, beta_, running_mean_, running_var_;
  FakeQuantize* weight_fake_quant_ = nullptr;
  FakeQuantize* conv_fake_quant_ = nullptr;        // of the convolution; with a shortcut its own,
  FakeQuantize* activation_fake_quant_ = nullptr;  // otherwise the same as of the result
  bool bn_frozen_ = false;
  float bn_momentum_ = BatchNormOptions().momentum;
  bool pool_in_pass_ = false;  // during call_with_pool
};

}  // namespace octet
