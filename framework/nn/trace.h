#pragma once

#include <string>
#include <vector>

#include "nn/leaf.h"

namespace octet {

// One call of a leaf. Values are numbered in the order they were made; 0 is the model's input.
struct TraceRecord {
  Leaf* leaf = nullptr;
  std::string name;
  std::vector<int> inputs;
  int output = -1;
  Tensor result;
  std::vector<NamedTensor> inner;  // of the twin of a leaf of several integer ops, see trace_inner
};

struct Trace {
  std::vector<TraceRecord> records;  // in the order of the calls
  int output = -1;                   // what the model returned
};

// Runs the model once in evaluation mode, without gradients, and records the leaf calls. Composites
// are transparent. The mode is restored afterwards.
// Throws Error that names the leaf if an input was made by a function outside a leaf, or if a leaf
// is called twice (a layer is one node of the graph), or if the model's result is not a leaf's.
Trace trace(Module& model, const Tensor& x);

// True while `trace` runs on this thread: every leaf's result is then wanted.
bool is_tracing();

// For Leaf::call: the tracer of this thread, if there is one, takes note of a call.
void trace_inputs(const Leaf& leaf, Inputs x);
void trace_call(Leaf& leaf, Inputs x, const Tensor& result);
// For Leaf::forward_codes: notes a tensor within the call that the leaf's integer form has as the
// value "<leaf>.<suffix>" (Lowering::emit_inner).
void trace_inner(const Leaf& leaf, const std::string& suffix, const Tensor& codes);

}  // namespace octet
