#include "ops/dropout.h"

#include <memory>
#include <utility>

#include "autograd/node.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

// x with elements dropped, the others scaled. The mask is a function of the options, so forward and
// backward are the same function and nothing is saved.
Tensor masked(const Tensor& x, const DropoutOptions& options) {
  Tensor y = Tensor::empty(x.shape());
  const std::int64_t samples = x.dim(0), size = samples > 0 ? x.numel() / samples : 0;
  const float keep_scale = 1.0f / (1.0f - options.p);
  const float* from = x.data();
  float* into = y.mutable_data();
  parallel_for(samples, [&](std::int64_t n) {
    Rng rng(options.seed, RngPurpose::kDropout, options.epoch,
            options.first_index + static_cast<std::uint32_t>(n));
    for (std::int64_t i = n * size; i < (n + 1) * size; ++i) {
      into[i] = rng.uniform() < options.p ? 0.0f : from[i] * keep_scale;
    }
  });
  return y;
}

struct DropoutBackward final : Node {
  DropoutOptions options;

  const char* name() const override { return "DropoutBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    return {masked(grad_output, options)};
  }
};

}  // namespace

Tensor dropout(const Tensor& x, DropoutOptions options) {
  check_values("dropout", x);
  OCTET_CHECK(x.rank() >= 1, "[dropout] expects [N, ...], got a scalar");
  OCTET_CHECK(options.p >= 0.0f && options.p < 1.0f, "[dropout] expects 0 <= p < 1, got ",
              options.p);
  Tensor y = masked(x, options);
  if (should_record({x})) {
    auto node = std::make_shared<DropoutBackward>();
    node->options = options;
    attach(y, {x}, std::move(node));
  }
  return y;
}

}  // namespace octet
