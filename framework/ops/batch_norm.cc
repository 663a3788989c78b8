#include "ops/batch_norm.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "base/cpu.h"
#include "kernels/f32/batch_norm.h"
#include "ops/elementwise.h"
#include "ops/scratch.h"

namespace octet {
namespace {

using kernels::BatchNormShape;

struct BatchNormBackward final : Node {
  BatchNormShape shape;
  bool batch_statistics = true, relu = false;
  Tensor x;
  Tensor y;  // with ReLU and a shortcut; without a shortcut x tells where the ReLU let pass
  Tensor parameters, inv_std;

  const char* name() const override { return "BatchNormBackward"; }

  std::vector<Tensor> backward(const Tensor& dy) override {
    Tensor dx, dgamma, dbeta, dshortcut;
    kernels::BatchNormGradients gradients{.parameters = parameters.data(),
                                          .inv_std = inv_std.data(),
                                          .batch_statistics = batch_statistics,
                                          .relu = relu,
                                          .x = x.data(),
                                          .dy = dy.data(),
                                          .y = y.defined() ? y.data() : nullptr};
    if (inputs[0].needs_grad()) {
      dx = Tensor::empty(x.shape());
      gradients.dx = dx.mutable_data();
    }
    if (inputs[1].needs_grad() || inputs[2].needs_grad()) {
      dgamma = Tensor::empty({shape.channels});
      dbeta = Tensor::empty({shape.channels});
      gradients.dgamma = dgamma.mutable_data();
      gradients.dbeta = dbeta.mutable_data();
    }
    if (inputs[3].needs_grad()) {
      if (relu) {
        dshortcut = Tensor::empty(x.shape());
        gradients.dshortcut = dshortcut.mutable_data();
      } else {
        dshortcut = dy;
      }
    }
    Scratch scratch(kernels::batch_norm_backward_scratch_floats(shape));
    kernels::batch_norm_backward(kernels::select_f32_kernels(process_isa()), shape, gradients,
                                 scratch.data());
    return {dx, dgamma, dbeta, dshortcut};
  }
};

// running = (1 - momentum) running + momentum batch
void update_running(Tensor& running, const Tensor& batch, float momentum, float factor) {
  float* into = running.mutable_data();
  const float* from = batch.data();
  for (std::int64_t c = 0; c < running.numel(); ++c) {
    into[c] = (1.0f - momentum) * into[c] + momentum * (factor * from[c]);
  }
}

Tensor inverse_std(const Tensor& var, float eps) {
  Tensor inv_std = Tensor::empty(var.shape());
  for (std::int64_t c = 0; c < var.numel(); ++c) {
    inv_std.mutable_data()[c] =
        static_cast<float>(1.0 / std::sqrt(double{var.data()[c]} + double{eps}));
  }
  return inv_std;
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor running_mean,
                  Tensor running_var, BatchNormOptions options, const Tensor& shortcut,
                  const Tensor& statistics) {
  check_values("batch_norm", x);
  OCTET_CHECK(x.rank() >= 1 && x.numel() > 0,
              "[batch_norm] expects x [..., C] with extents of at least 1, got ", x.shape());
  const std::int64_t channels = x.dim(x.rank() - 1), rows = x.numel() / channels;
  const std::pair<const char*, const Tensor*> vectors[] = {{"gamma", &gamma},
                                                           {"beta", &beta},
                                                           {"running_mean", &running_mean},
                                                           {"running_var", &running_var}};
  for (const auto& vector : vectors) {
    OCTET_CHECK(vector.second->shape() == Shape{channels}, "[batch_norm] ", vector.first,
                " expects shape [", channels, "], got ", vector.second->shape());
  }
  if (shortcut.defined()) {
    check_values("batch_norm", shortcut);
    OCTET_CHECK(shortcut.shape() == x.shape(), "[batch_norm] shortcut expects the shape of x, ",
                x.shape(), ", got ", shortcut.shape());
  }
  const bool batch = options.statistics == BatchNormStatistics::kBatch;
  OCTET_CHECK(!batch || rows >= 2, "[batch_norm] batch statistics need at least 2 rows, got ",
              x.shape());

  const kernels::F32Kernels& isa = kernels::select_f32_kernels(process_isa());
  const BatchNormShape shape{rows, channels};
  const Shape partials{shape.chunks(), 3, shape.lanes()};
  OCTET_CHECK(!statistics.defined() || (batch && statistics.shape() == partials),
              "[batch_norm] statistics of the batch expect shape ", partials, ", got ",
              statistics.shape(), batch ? "" : " and running statistics");
  Tensor mean = running_mean, inv_std;
  if (batch) {
    mean = Tensor::empty({channels});
    Tensor var = Tensor::empty({channels});
    if (statistics.defined()) {
      kernels::batch_norm_combine_statistics(shape, statistics.data(), mean.mutable_data(),
                                             var.mutable_data());
    } else {
      Scratch scratch(static_cast<std::size_t>(shape.chunks() * shape.partial_floats()));
      kernels::batch_norm_statistics(isa, shape, x.data(), mean.mutable_data(), var.mutable_data(),
                                     scratch.data());
    }
    inv_std = inverse_std(var, options.eps);
    const double count = static_cast<double>(rows);
    update_running(running_mean, mean, options.momentum, 1.0f);
    update_running(running_var, var, options.momentum, static_cast<float>(count / (count - 1.0)));
  } else {
    inv_std = inverse_std(running_var, options.eps);
  }
  // A copy: the caller may change gamma, beta and the running statistics before backward.
  Tensor parameters = Tensor::empty({3, shape.lanes()});
  kernels::batch_norm_parameters(shape, mean.data(), inv_std.data(), gamma.data(), beta.data(),
                                 parameters.mutable_data());
  const bool relu = options.activation == Activation::kRelu;
  Tensor y = Tensor::empty(x.shape());
  kernels::batch_norm_forward(isa, shape, parameters.data(), x.data(),
                              shortcut.defined() ? shortcut.data() : nullptr, relu,
                              y.mutable_data());
  if (should_record({x, gamma, beta, shortcut})) {
    auto node = std::make_shared<BatchNormBackward>();
    node->shape = shape;
    node->batch_statistics = batch;
    node->relu = relu;
    node->x = x.detach();
    if (relu && shortcut.defined()) node->y = y.detach();
    node->parameters = parameters;
    node->inv_std = inv_std;
    attach(y, {x, gamma, beta, shortcut}, std::move(node));
  }
  return y;
}

}  // namespace octet
