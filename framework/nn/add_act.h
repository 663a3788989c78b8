#pragma once

#include "nn/act.h"
#include "nn/leaf.h"

namespace octet {

// act(a + b): where a residual connection joins. Both inputs have the same shape.
class AddAct final : public Leaf {
 public:
  struct Options {
    Act act = Act::kRelu;
  };
  explicit AddAct(Options options) : o_(options) {}
  const Options& options() const { return o_; }
  ir::ValueId lower(Lowering& lowering) const override;

 private:
  Tensor forward(Inputs x) override;
  Tensor forward_codes(Inputs x) const override;
  FloatForm folded() const override { return FloatAdd{o_.act}; }
  void prepare(const QConfig& qconfig) override;
  ir::QAdd integer_add(QParams a, QParams b) const;

  Options o_;
  FakeQuantize* activation_fake_quant_ = nullptr;
};

}  // namespace octet
