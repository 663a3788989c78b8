#include "ops/activation.h"

#include <memory>
#include <utility>

#include "autograd/node.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

// Saves the result alone: its sign tells where x was positive, and the next op keeps it anyway.
struct ReluBackward final : Node {
  Tensor y;

  const char* name() const override { return "ReluBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    Tensor grad = Tensor::empty(y.shape());
    const float *g = grad_output.data(), *out = y.data();
    float* into = grad.mutable_data();
    for_each_element(y.numel(), [=](std::int64_t i) {
      const float gradient = g[i];  // read in any case, or the loop would have a branch
      into[i] = out[i] > 0.0f ? gradient : 0.0f;
    });
    return {grad};
  }
};

// The result lies strictly between the bounds exactly where x does.
struct ClampBackward final : Node {
  Tensor y;
  float low = 0.0f, high = 0.0f;

  const char* name() const override { return "ClampBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    Tensor grad = Tensor::empty(y.shape());
    const float *g = grad_output.data(), *out = y.data();
    float* into = grad.mutable_data();
    for_each_element(y.numel(), [=, lo = low, hi = high](std::int64_t i) {
      const float gradient = g[i];
      const bool inside = (out[i] > lo) & (out[i] < hi);
      into[i] = inside ? gradient : 0.0f;
    });
    return {grad};
  }
};

}  // namespace

// Both write the comparison so that a NaN stays one: a diverged training must show.
Tensor relu(const Tensor& x) {
  check_values("relu", x);
  Tensor y = Tensor::empty(x.shape());
  const float* from = x.data();
  float* into = y.mutable_data();
  for_each_element(x.numel(), [=](std::int64_t i) { into[i] = 0.0f > from[i] ? 0.0f : from[i]; });
  if (should_record({x})) {
    auto node = std::make_shared<ReluBackward>();
    node->y = y.detach();
    attach(y, {x}, std::move(node));
  }
  return y;
}

Tensor clamp(const Tensor& x, float low, float high) {
  check_values("clamp", x);
  OCTET_CHECK(low <= high, "[clamp] expects low <= high, got ", low, " and ", high);
  Tensor y = Tensor::empty(x.shape());
  const float* from = x.data();
  float* into = y.mutable_data();
  for_each_element(x.numel(), [=](std::int64_t i) {
    const float raised = low > from[i] ? low : from[i];
    into[i] = high < raised ? high : raised;
  });
  if (should_record({x})) {
    auto node = std::make_shared<ClampBackward>();
    node->y = y.detach();
    node->low = low;
    node->high = high;
    attach(y, {x}, std::move(node));
  }
  return y;
}

}  // namespace octet
