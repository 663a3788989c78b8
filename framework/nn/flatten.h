#pragma once

#include "nn/leaf.h"

namespace octet {

// [N, H, W, C] -> [N, H W C]: the same elements, between the convolutions and the linear layers.
class Flatten final : public Leaf {
 public:
  struct Options {};
  explicit Flatten(Options) {}
  ir::ValueId lower(Lowering& lowering) const override;

 private:
  Tensor forward(Inputs x) override;
  FloatForm folded() const override { return FloatIdentity{}; }
};

}  // namespace octet
