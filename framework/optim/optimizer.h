#pragma once

#include <vector>

#include "nn/module.h"

namespace octet {

// What the training loop needs of an optimizer. It holds handles of the parameters: a step changes
// the model. Used by one thread at a time.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // One update at the schedule's learning rate. Parameters without a gradient stay as they are,
  // momentum included. `grad_scale` multiplies every gradient (see clip_factor).
  virtual void step(float lr, float grad_scale = 1.0f) = 0;

  // Forgets the gradients.
  virtual void zero_grad() = 0;

  // The momentum buffers, "optimizer.<parameter>.momentum": what a checkpoint holds and writes back
  // into (copy_from).
  virtual std::vector<NamedTensor> state() const = 0;
};

}  // namespace octet
