#pragma once

#include "nn/leaf.h"

namespace octet {

// Joins tensors along the channels. The integer form copies codes where an input has the output's
// parameters, and requantizes it with a QAdd of one operand where not, or where codes have fewer
// than 8 bits: an input of more bits may then have codes beyond the output's.
class Concat final : public Leaf {
 public:
  struct Options {};
  explicit Concat(Options) {}
  ir::ValueId lower(Lowering& lowering) const override;

 private:
  Tensor forward(Inputs x) override;
  Tensor forward_codes(Inputs x) const override;
  FloatForm folded() const override { return FloatConcat{}; }
  void prepare(const QConfig& qconfig) override;

  FakeQuantize* activation_fake_quant_ = nullptr;
};

}  // namespace octet
