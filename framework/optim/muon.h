#pragma once

#include <vector>

#include "optim/optimizer.h"
#include "optim/sgd.h"

namespace octet {

// `m` with its singular values brought near 1 (to about 0.7 to 1.2): for m = U S V^T approximately
// U V^T, by `iterations` of the quintic Newton-Schulz iteration
//   X <- (3.4445 I - 4.7750 A + 2.0315 A^2) X    A = X X^T, from X = m / (|m| + 1e-7)
// (from the right with X^T X where there are fewer columns than rows), |m| the Frobenius norm.
// Singular values that are tiny against |m| grow by 3.4 an iteration and need more of them; a
// matrix of zeros stays. m: [rows, columns] float32, any shape; Error if it is no matrix. The same
// bits for every number of threads and instruction set.
// Jordan et al. 2024 ("Muon: An optimizer for hidden layers in neural networks").
Tensor orthogonalized(const Tensor& m, int iterations);

struct MuonOptions {
  float lr_ratio = 1.0f;   // Muon's learning rate over the schedule's, which is that of `others`
  float momentum = 0.95f;  // Nesterov's form
  float weight_decay = 0.05f;  // decoupled
  int iterations = 5;          // of Newton-Schulz
  SgdOptions others = {};      // of the parameters that are no convolution weights
};

// Muon for the weights w of convolutions (four axes), as matrices [out, kernel_h kernel_w in /
// groups], with torch.optim.Muon's update; SGD for all other parameters:
//   m = momentum m + (1 - momentum) g        u = (1 - momentum) g + momentum m
//   w = (1 - lr weight_decay) w - lr sqrt(max(1, rows / columns)) orthogonalized(u)
// An iteration costs 2 rows^2 columns + rows^3 multiply-adds, rows the smaller side. Used by one
// thread at a time.
class Muon final : public Optimizer {
 public:
  // Throws Error if a parameter is not F32, and UsageError on options out of range.
  Muon(const std::vector<NamedTensor>& parameters, MuonOptions options);

  void step(float lr, float grad_scale = 1.0f) override;
  void zero_grad() override;
  std::vector<NamedTensor> state() const override;

 private:
  struct Slot {
    NamedTensor parameter;
    Tensor momentum;
  };
  std::vector<Slot> slots_;
  Sgd others_;
  MuonOptions options_;
};

}  // namespace octet
