#pragma once

#include <vector>

#include "nn/module.h"

namespace octet {

// Exponential moving average of a model's weights, which evaluates better than the last ones:
//   ema += (1 - decay) (w - ema), from the weights at construction on
// Polyak and Juditsky 1992; Tarvainen and Valpola 2017 (arXiv:1703.01780). Used by one thread at a
// time.
class WeightEma {
 public:
  // `tensors` are handles of F32 parameters, and of running statistics if they are to be averaged
  // too. Throws Error if one is not F32, UsageError unless 0 <= decay < 1.
  WeightEma(std::vector<NamedTensor> tensors, float decay);

  // After each optimizer step. Throws Error while swapped in.
  void update();

  // Puts the averages into the model, and the model's weights where the averages were; swap_out
  // undoes it, to the bit. Throws Error if already done.
  void swap_in();
  void swap_out();

  // The averages, "ema.<tensor>", for checkpoints (which read and write them while swapped out).
  std::vector<NamedTensor> state() const;

 private:
  void swap();

  std::vector<NamedTensor> tensors_;
  std::vector<Tensor> averages_;
  float decay_;
  bool swapped_in_ = false;
};

}  // namespace octet
