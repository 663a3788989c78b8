#pragma once

#include "tensor/tensor.h"

namespace octet {

// Products of two matrices, for code that needs no gradient of them (optim/muon.h). The letters say
// how the operands are read: n as they are, t transposed. float32; each element is one chain of
// fused multiply-adds over K (matmul_tn: over fixed groups of K, then added), so the same bits for
// every number of threads and instruction set. Where autocast is bf16 (ops/autocast.h) the operands
// are rounded to bfloat16 first, as a linear layer's. Nothing is recorded. Throws Error on shapes
// that do not fit.
Tensor matmul_nn(const Tensor& a, const Tensor& b);  // [M, K] [K, N] -> a b      [M, N]
Tensor matmul_nt(const Tensor& a, const Tensor& b);  // [M, K] [N, K] -> a b^T    [M, N]
Tensor matmul_tn(const Tensor& a, const Tensor& b);  // [K, M] [K, N] -> a^T b    [M, N]

}  // namespace octet
