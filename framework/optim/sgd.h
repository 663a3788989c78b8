#pragma once

#include <functional>
#include <vector>

#include "optim/optimizer.h"

namespace octet {

// Whether a parameter is a weight of a layer (two axes or more), not a bias or one of batch norm's:
// the usual choice of what weight decay acts on.
bool is_layer_weight(const NamedTensor& parameter);

struct SgdOptions {
  float momentum = 0.9f;
  bool nesterov = false;
  float weight_decay = 0.0f;
  // Which parameters decay; all of them when empty.
  std::function<bool(const NamedTensor&)> decays = {};
};

// Stochastic gradient descent with PyTorch's update rule, for each parameter w with gradient g:
//   g' = grad_scale g + weight_decay w      m = momentum m + g'
//   w -= lr (nesterov ? g' + momentum m : m)
// Sutskever et al. 2013 ("On the importance of initialization and momentum"). One pass over memory;
// the same bits for every number of threads. Used by one thread at a time.
class Sgd final : public Optimizer {
 public:
  // Throws Error if a parameter is not F32, and UsageError on options out of range.
  Sgd(std::vector<NamedTensor> parameters, SgdOptions options);

  void step(float lr, float grad_scale = 1.0f) override;
  void zero_grad() override;
  // Empty without momentum.
  std::vector<NamedTensor> state() const override;

 private:
  struct Slot {
    NamedTensor parameter;
    Tensor momentum;  // undefined without momentum
    float weight_decay = 0.0f;
  };
  std::vector<Slot> slots_;
  SgdOptions options_;
};

}  // namespace octet
