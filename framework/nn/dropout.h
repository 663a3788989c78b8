#pragma once

#include <optional>

#include "nn/leaf.h"

namespace octet {

// Where training stands: what the masks of dropout depend on besides the layer.
struct DropoutPosition {
  std::uint64_t seed = 0;
  std::uint32_t epoch = 0;
  std::uint32_t first_index = 0;  // position in the epoch of the batch's first sample
};

// Zeroes each element with probability p in training, and passes x on in evaluation; leaves no
// trace in the integer graph.
class Dropout final : public Leaf {
 public:
  struct Options {
    float p = 0.5f;
  };
  explicit Dropout(Options options) : o_(options) {}
  ir::ValueId lower(Lowering& lowering) const override { return lowering.inputs[0]; }

  // Before each training step; layers with different `layer` draw different masks.
  void set_position(DropoutPosition position, std::uint32_t layer);

 private:
  Tensor forward(Inputs x) override;
  FloatForm folded() const override { return FloatIdentity{}; }

  Options o_;
  std::optional<DropoutPosition> position_;
};

// Tells every Dropout of the model where training stands. For the trainer, before each step: a
// training step without it is an Error.
void set_dropout_position(Module& model, DropoutPosition position);

}  // namespace octet
