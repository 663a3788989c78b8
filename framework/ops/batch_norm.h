#pragma once

#include "ops/activation.h"
#include "tensor/tensor.h"

namespace octet {

enum class BatchNormStatistics {
  kBatch,  // normalize with the batch's mean and biased variance, and update the running statistics
  kRunning,  // normalize with the running statistics; they stay as they are
};

struct BatchNormOptions {
  BatchNormStatistics statistics = BatchNormStatistics::kBatch;
  float momentum =
      0.1f;  // running = (1 - momentum) running + momentum batch; the variance enters unbiased
  float eps = 1e-5f;
  Activation activation = Activation::kNone;
};

// Batch normalization over all axes but the last (the channels).
//   x: [..., C] float32      gamma, beta: [C]      running_mean, running_var: [C], updated in place
//   shortcut: the shape of x, or undefined; it has a gradient of its own
//   with kBatch returns act(gamma (x - mean) / sqrt(var + eps) + beta + shortcut)
//   statistics: with kBatch what conv2d_with_statistics took of x, or undefined: then x is read for
//   them. The bits are the same
// Ioffe and Szegedy 2015 (arXiv:1502.03167), algorithm 1. Sums run over fixed chunks of rows
// combined in a fixed order. Throws Error on a shape that does not fit, or with kBatch on fewer
// than two rows.
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor running_mean,
                  Tensor running_var, BatchNormOptions options, const Tensor& shortcut = Tensor(),
                  const Tensor& statistics = Tensor());

}  // namespace octet
