#pragma once

#include "nn/act.h"
#include "nn/integer_form.h"
#include "nn/leaf.h"

namespace octet {

// y = act(x weight^T + bias).      [N, in] -> [N, out]
//   parameters: weight [out, in], bias [out]
// The linear layer that makes a model's output gives int32 logits (make_logits; qat::prepare
// finds it): its output is neither observed nor quantized.
class Linear final : public Leaf {
 public:
  struct Options {
    std::int64_t in = 0;
    std::int64_t out = 0;
    Act act = Act::kNone;
    bool bias = true;
  };
  explicit Linear(Options options);
  const Options& options() const { return o_; }

  ir::ValueId lower(Lowering& lowering) const override;
  void make_logits() override;
  void reset_parameters(Initializer& init) override;

 private:
  Tensor forward(Inputs x) override;
  Tensor forward_codes(Inputs x) const override;
  FloatForm folded() const override;
  void prepare(const QConfig& qconfig) override;
  std::vector<float> bias() const;
  IntegerForm integer_form(QParams input) const;

  Options o_;
  Tensor weight_, bias_;
  FakeQuantize* weight_fake_quant_ = nullptr;
  FakeQuantize* activation_fake_quant_ = nullptr;  // none for logits
  bool logits_ = false;
};

}  // namespace octet
