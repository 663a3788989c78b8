#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace octet {

// What an op saved, and how to turn the gradient of its result into the gradients of its inputs. A
// named struct beside its op, with what it saved as fields. Used by one thread at a time.
struct Node {
  virtual ~Node() = default;
  virtual const char* name() const = 0;
  // Gradients of `inputs`, in their order; an undefined tensor where an input needs none. Called at
  // most once.
  virtual std::vector<Tensor> backward(const Tensor& grad_output) = 0;

  std::vector<Tensor> inputs;
  std::uint64_t creation =
      0;  // later nodes have larger numbers: descending order is a topological order
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

// Gives `result` its history: node->inputs = inputs. For ops, after they checked should_record.
void attach(Tensor& result, std::vector<Tensor> inputs, std::shared_ptr<Node> node);

// Computes the gradient of the scalar `loss` with respect to every leaf that requires one, and adds
// it to the leaf's grad(). A heap on creation order: no recursion. A node's saved tensors and
// inputs are released as soon as its backward has run. Throws Error if loss is not a scalar with a
// history.
void backward(const Tensor& loss);

}  // namespace octet
