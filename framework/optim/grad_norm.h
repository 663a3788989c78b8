#pragma once

#include <vector>

#include "nn/module.h"

namespace octet {

// The Euclidean (Frobenius) norm of a float32 tensor. Summed in double over fixed chunks in a fixed
// order: the same bits for every number of threads.
double norm_of(const Tensor& x);

// The Euclidean norm of all gradients together; parameters without one count as 0. Finite exactly
// when every gradient is: the check for a diverged run. Summed as in norm_of.
double grad_norm(const std::vector<NamedTensor>& parameters);

// The factor that brings gradients of norm `norm` down to `max_norm`, at most 1:
// min(1, max_norm / (norm + 1e-6)), PyTorch's clip_grad_norm_. For Sgd::step's grad_scale.
// Pascanu et al. 2013 (arXiv:1211.5063), algorithm 1.
float clip_factor(double norm, double max_norm);

}  // namespace octet
