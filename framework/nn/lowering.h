#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "tensor/tensor.h"

namespace octet {

// What a leaf needs to append itself to a graph: where, under which name, reading what, and the
// tensor that its twin returned (batch of 1), whose shape, type and qparams the new value gets.
struct Lowering {
  ir::Graph& graph;
  std::string name;  // of the leaf, and of its node and value
  std::vector<ir::ValueId> inputs;
  Tensor output;

  // Of the output, without the batch.
  Shape output_shape() const;
  // Parameters of the i-th input.
  QParams input_qparams(std::size_t i = 0) const;
  // Appends the node `name`, reading `inputs`, and the value `name`; returns the value's id.
  ir::ValueId emit(ir::Op op);
  // For a leaf of several ops: appends the node "<name>.<suffix>" and its uint8 value, which stays
  // within the leaf. The twin shows its tensor to the tracer (nn/trace.h: trace_inner).
  ir::ValueId emit_inner(const std::string& suffix, ir::Op op, std::vector<ir::ValueId> reads,
                         Shape shape, QParams qparams);
};

}  // namespace octet
