#include "ops/flatten.h"

#include <memory>
#include <utility>

#include "autograd/node.h"

namespace octet {
namespace {

struct FlattenBackward final : Node {
  Shape shape;  // of the input

  const char* name() const override { return "FlattenBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    return {grad_output.reshape(shape)};
  }
};

}  // namespace

Tensor flatten(const Tensor& x) {
  OCTET_CHECK(x.defined() && x.rank() >= 2, "[flatten] expects [N, ...] of at least two axes, got ",
              x.defined() ? x.shape().to_string() : "an undefined tensor");
  std::int64_t features = 1;
  for (int axis = 1; axis < x.rank(); ++axis) features *= x.dim(axis);
  Tensor y = x.reshape({x.dim(0), features});
  if (should_record({x})) {
    auto node = std::make_shared<FlattenBackward>();
    node->shape = x.shape();
    attach(y, {x}, std::move(node));
  }
  return y;
}

}  // namespace octet
