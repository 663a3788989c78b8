#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace octet {

struct Node;

// Where a gradient goes: on to the node that made the tensor, or into the leaf. It holds no data of
// an op's result, so the graph alone keeps no memory alive: a node keeps what it saves in its own
// fields.
struct Edge {
  std::shared_ptr<Node> node;
  Tensor leaf;  // defined when there is no node and the leaf requires a gradient

  bool needs_grad() const { return node != nullptr || leaf.defined(); }
};

// What an op saved, and how to turn the gradient of its result into the gradients of its inputs. A
// named struct beside its op, with what it saved as fields: tensors always `detach`ed, or a node
// would keep the graph before it (or itself) alive; gradcheck looks for that. Destroying a graph
// does not recurse, however deep it is. Used by one thread at a time.
struct Node {
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node();
  virtual const char* name() const = 0;
  // Gradients of `inputs`, in their order; an undefined tensor where an input needs none. They may
  // share data with `grad_output`, which is not to be written to. Called at most once.
  virtual std::vector<Tensor> backward(const Tensor& grad_output) = 0;
  // Offered before backward: what other nodes have given for the gradient of inputs[0], which
  // nobody else sees. A node that takes it away gives the sum with its own in backward; that saves
  // a pass.
  virtual void take_sum(Tensor&) {}

  std::vector<Edge> inputs;
  // Later nodes have larger numbers: descending order is a topological order.
  std::uint64_t creation = 0;
  bool done = false;  // backward has run
};

// Whether ops record their nodes on this thread; on unless a NoGradGuard lives.
bool grad_enabled();

class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};

// Whether an op over these inputs has to save anything: gradients are enabled and an input needs
// one.
bool should_record(const std::vector<Tensor>& inputs);

// Gives `result` its history: node->inputs leads to `inputs`, in their order (undefined tensors and
// those that need no gradient included). For ops, after they checked should_record.
void attach(Tensor& result, const std::vector<Tensor>& inputs, std::shared_ptr<Node> node);

// Computes the gradient of the scalar `loss` with respect to every leaf that requires one, and adds
// it to the leaf's grad(). A heap on creation order: no recursion. A node is
// released as soon as its backward has run (and no handle of its result lives). Throws Error if
// loss is not a scalar with a history, or if a part of its graph has been through backward before.
void backward(const Tensor& loss);

}  // namespace octet
