#pragma once

#include "nn/act.h"
#include "nn/integer_form.h"
#include "nn/leaf.h"
#include "ops/conv2d.h"

namespace octet {

enum class Norm { kNone, kBatch };

// Convolution, batch normalization (or a bias) and activation as one layer.
//   [N, H, W, in] -> [N, (H + 2 padding - kernel) / stride + 1, ..., out]
//   parameters: weight [out, kernel, kernel, in / groups], and bias [out] without batch norm or
//   bn.weight, bn.bias [out] with it; buffers bn.running_mean, bn.running_var [out].
// Batch norm in QAT (docs/quantization.md): quantization with one scale per channel commutes with
// the factor gamma / sigma, so training quantizes the unfolded weight and normalizes as always.
// With one scale per tensor the folded weight gamma / sigma w is quantized, with the running sigma,
// and the batch's sigma enters as a factor on the output.
//   Krishnamoorthi 2018 (arXiv:1806.08342), sec. 3.2.2.
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
    bool bias = true;  // read only without batch norm, whose beta is the bias
  };
  explicit ConvBnAct(Options options);

  ir::ValueId lower(Lowering& lowering) const override;
  void reset_parameters(Initializer& init) override;
  void freeze_bn_stats(bool on) override { bn_frozen_ = on; }

 private:
  Tensor forward(Inputs x) override;
  Tensor forward_codes(Inputs x) const override;
  void prepare(const QConfig& qconfig) override;

  Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  Activation activation = Activation::kNone) const;
  Tensor normalize(const Tensor& y);
  Tensor forward_folded(const Tensor& x);
  Tensor folded_value(const Tensor& x, const Tensor& unfolded);
  Tensor folded_weight() const;
  std::vector<float> bn_factor() const;
  IntegerForm integer_form(QParams input) const;

  Options o_;
  Tensor weight_, bias_;
  Tensor gamma_, beta_, running_mean_, running_var_;
  FakeQuantize* weight_fake_quant_ = nullptr;
  FakeQuantize* activation_fake_quant_ = nullptr;
  bool bn_frozen_ = false;
};

}  // namespace octet
