#pragma once

#include "ir/graph.h"
#include "tensor/tensor.h"

// The residual add on codes, for the leaves that have one. `lower` writes the op down and the twin
// computes with it; the two executions share nothing.
namespace octet {

// eq. (11). One operand alone is requantized: then b is QParams{0, 0}.
//   clamp: of the output codes; it is the activation (nn/act.h)
// Throws Error if an operand's scale is 2^14 times the output's or more.
ir::QAdd make_integer_add(QParams a, QParams b, QParams output, QRange clamp);

// eq. (12), element by element.
//   a, b: float32 codes of one shape; b undefined if there is one operand
// Throws Error if the shapes differ.
Tensor add_codes(const Tensor& a, const Tensor& b, const ir::QAdd& op, QParams output);

}  // namespace octet
