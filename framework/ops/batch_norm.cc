#include "ops/batch_norm.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "kernels/f32/batch_norm.h"
#include "ops/add.h"
#include "ops/scratch.h"

namespace octet {
namespace {

struct BatchNormBackward final : Node {
  BatchNormStatistics statistics = BatchNormStatistics::kBatch;
  Tensor x, gamma, mean, inv_std;

  const char* name() const override { return "BatchNormBackward"; }

  std::vector<Tensor> backward(const Tensor& dy) override {
    const std::int64_t channels = gamma.numel(), rows = x.numel() / channels;
    Tensor dgamma = Tensor::empty({channels}), dbeta = Tensor::empty({channels}), dx;
    const bool batch = statistics == BatchNormStatistics::kBatch;
    if (batch || inputs[1].needs_grad() || inputs[2].needs_grad()) {
      Scratch scratch(kernels::batch_norm_scratch_floats(rows, channels));
      kernels::batch_norm_parameter_gradients(rows, channels, x.data(), dy.data(), mean.data(),
                                              inv_std.data(), dgamma.mutable_data(),
                                              dbeta.mutable_data(), scratch.data());
    }
    if (inputs[0].needs_grad()) {
      dx = Tensor::empty(x.shape());
      if (batch) {
        kernels::batch_norm_data_gradient(rows, channels, x.data(), dy.data(), mean.data(),
                                          inv_std.data(), gamma.data(), dgamma.data(), dbeta.data(),
                                          dx.mutable_data());
      } else {
        kernels::batch_norm_data_gradient_constant(rows, channels, dy.data(), inv_std.data(),
                                                   gamma.data(), dx.mutable_data());
      }
    }
    return {dx, dgamma, dbeta};
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

Tensor normalize(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor running_mean,
                 Tensor running_var, BatchNormOptions options) {
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
  const bool batch = options.statistics == BatchNormStatistics::kBatch;
  OCTET_CHECK(!batch || rows >= 2, "[batch_norm] batch statistics need at least 2 rows, got ",
              x.shape());

  Tensor mean, inv_std;
  if (batch) {
    mean = Tensor::empty({channels});
    Tensor var = Tensor::empty({channels});
    Scratch scratch(kernels::batch_norm_scratch_floats(rows, channels));
    kernels::batch_norm_statistics(rows, channels, x.data(), mean.mutable_data(),
                                   var.mutable_data(), scratch.data());
    inv_std = inverse_std(var, options.eps);
    const double count = static_cast<double>(rows);
    update_running(running_mean, mean, options.momentum, 1.0f);
    update_running(running_var, var, options.momentum, static_cast<float>(count / (count - 1.0)));
  } else {
    mean = running_mean.clone();  // the caller may update it before backward
    inv_std = inverse_std(running_var, options.eps);
  }
  Tensor y = Tensor::empty(x.shape());
  kernels::batch_norm_apply(rows, channels, x.data(), mean.data(), inv_std.data(), gamma.data(),
                            beta.data(), y.mutable_data());
  if (should_record({x, gamma, beta})) {
    auto node = std::make_shared<BatchNormBackward>();
    node->statistics = options.statistics;
    node->x = x.detach();
    node->gamma = gamma.detach();
    node->mean = mean;
    node->inv_std = inv_std;
    attach(y, {x, gamma, beta}, std::move(node));
  }
  return y;
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, Tensor running_mean,
                  Tensor running_var, BatchNormOptions options, const Tensor& shortcut) {
  OCTET_CHECK(!shortcut.defined() || shortcut.shape() == x.shape(),
              "[batch_norm] shortcut expects the shape of x, ", x.shape(), ", got ",
              shortcut.shape());
  Tensor y = normalize(x, gamma, beta, running_mean, running_var, options);
  if (shortcut.defined()) y = add(y, shortcut);
  return options.activation == Activation::kRelu ? relu(y) : y;
}

}  // namespace octet
