#include "optim/muon.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/float_environment.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "optim/grad_norm.h"

namespace octet {
namespace {

// p(s) = a s + b s^3 + c s^5 takes what is in (0, 1] near 1 when applied again and again, and is as
// steep at 0 as such a polynomial can be without leaving that.
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr double kEpsilon = 1e-7;

bool is_convolution_weight(const NamedTensor& parameter) { return parameter.tensor.rank() == 4; }

Tensor as_matrix(const Tensor& weight) {
  return weight.reshape({weight.dim(0), weight.numel() / weight.dim(0)});
}

std::vector<NamedTensor> others_of(const std::vector<NamedTensor>& parameters) {
  std::vector<NamedTensor> others;
  std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(others),
               [](const NamedTensor& p) { return !is_convolution_weight(p); });
  return others;
}

}  // namespace

Tensor orthogonalized(const Tensor& m, int iterations) {
  OCTET_CHECK(m.rank() == 2 && m.numel() > 0, "[orthogonalized] expects a matrix, got ", m.shape());
  const bool tall = m.dim(0) > m.dim(1);
  const std::int64_t count = m.numel();
  const auto scale = static_cast<float>(1.0 / (norm_of(m) + kEpsilon));
  Tensor x = Tensor::empty(m.shape());
  const float* from = m.data();
  float* to = x.mutable_data();
  for_each_element(count, [=](std::int64_t i) { to[i] = scale * from[i]; });
  for (int i = 0; i < iterations; ++i) {
    const Tensor gram = tall ? matmul_tn(x, x) : matmul_nt(x, x);
    Tensor polynomial = matmul_nt(gram, gram);  // symmetric
    const float* g = gram.data();
    float* p = polynomial.mutable_data();
    for_each_element(gram.numel(), [=](std::int64_t j) { p[j] = kB * g[j] + kC * p[j]; });
    Tensor next = tall ? matmul_nt(x, polynomial) : matmul_nn(polynomial, x);
    const float* before = x.data();
    float* after = next.mutable_data();
    for_each_element(count, [=](std::int64_t j) { after[j] += kA * before[j]; });
    x = std::move(next);
  }
  return x;
}

Muon::Muon(const std::vector<NamedTensor>& parameters, MuonOptions options)
    : others_(others_of(parameters), options.others), options_(std::move(options)) {
  if (!(options_.lr_ratio > 0.0f)) {
    throw UsageError(message("[muon] lr_ratio must be above 0, got ", options_.lr_ratio));
  }
  if (!(options_.momentum >= 0.0f && options_.momentum < 1.0f)) {
    throw UsageError(message("[muon] momentum must be in [0, 1), got ", options_.momentum));
  }
  if (!(options_.weight_decay >= 0.0f)) {
    throw UsageError(
        message("[muon] weight_decay must not be negative, got ", options_.weight_decay));
  }
  if (options_.iterations < 1) {
    throw UsageError(message("[muon] iterations must be at least 1, got ", options_.iterations));
  }
  for (const NamedTensor& parameter : parameters) {
    if (!is_convolution_weight(parameter)) continue;
    OCTET_CHECK(parameter.tensor.dtype() == DType::kF32, "[muon] ", parameter.name,
                " must be F32, not ", name_of(parameter.tensor.dtype()));
    slots_.push_back({parameter, Tensor::zeros(parameter.tensor.shape())});
  }
}

void Muon::step(float lr, float grad_scale) {
  const FloatEnvironment environment;
  const float mu = options_.momentum, muon_lr = lr * options_.lr_ratio;
  const float keep = 1.0f - muon_lr * options_.weight_decay;
  for (Slot& slot : slots_) {
    const Tensor gradient = slot.parameter.tensor.grad();
    if (!gradient.defined()) continue;
    const std::int64_t count = gradient.numel();
    Tensor direction = Tensor::empty(gradient.shape());
    const float* g = gradient.data();
    float *m = slot.momentum.mutable_data(), *u = direction.mutable_data();
    for_each_element(count, [=](std::int64_t i) {
      const float fresh = (1.0f - mu) * (grad_scale * g[i]);
      m[i] = mu * m[i] + fresh;
      u[i] = fresh + mu * m[i];
    });
    const Tensor matrix = as_matrix(direction);
    const Tensor update = orthogonalized(matrix, options_.iterations);
    const auto rows = static_cast<float>(matrix.dim(0)),
               columns = static_cast<float>(matrix.dim(1));
    const float rate = muon_lr * std::sqrt(std::max(1.0f, rows / columns));
    const float* o = update.data();
    float* w = slot.parameter.tensor.mutable_data();
    for_each_element(count, [=](std::int64_t i) { w[i] = keep * w[i] - rate * o[i]; });
  }
  others_.step(lr, grad_scale);
}

void Muon::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.tensor.set_grad(Tensor());
  others_.zero_grad();
}

std::vector<NamedTensor> Muon::state() const {
  std::vector<NamedTensor> state;
  for (const Slot& slot : slots_) {
    state.push_back({"optimizer." + slot.parameter.name + ".momentum", slot.momentum});
  }
  for (NamedTensor& other : others_.state()) state.push_back(std::move(other));
  return state;
}

}  // namespace octet
