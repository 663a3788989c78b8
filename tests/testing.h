#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "base/cpu.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "tensor/tensor.h"

// What tests of ops and layers share.
namespace octet::testing {

// A verdict with its reason; doctest prints the reason: CHECK(gradcheck(...)).
struct [[nodiscard]] Verdict {
  bool ok = true;
  std::string reason;

  explicit operator bool() const { return ok; }
  friend std::ostream& operator<<(std::ostream& out, const Verdict& v) {
    return out << (v.ok ? std::string("as expected") : v.reason);
  }
};

// Normally distributed numbers, a function of shape and seed alone.
inline Tensor randn(Shape shape, std::uint64_t seed) {
  Tensor t = Tensor::empty(std::move(shape));
  Rng rng(seed, RngPurpose::kTest);
  std::generate_n(t.mutable_data(), t.numel(), [&] { return rng.normal(); });
  return t;
}

// {0, 1, ..., n - 1} in random order, times `spacing`: numbers that keep their distance, for ops
// with kinks (max-pool).
inline Tensor permutation(Shape shape, std::uint64_t seed, float spacing = 1.0f) {
  Tensor t = Tensor::empty(std::move(shape));
  float* x = t.mutable_data();
  Rng rng(seed, RngPurpose::kTest);
  for (std::int64_t i = 0; i < t.numel(); ++i) {
    x[i] = static_cast<float>(i) * spacing;
    std::swap(x[i], x[rng.below(static_cast<std::uint32_t>(i + 1))]);
  }
  return t;
}

struct AllcloseOptions {
  double rtol = 1e-5;
  double atol = 1e-6;
};

// |a - b| <= atol + rtol |b|, elementwise, over float32 tensors of one shape. NaN is never close.
inline Verdict allclose(const Tensor& a, const Tensor& b, AllcloseOptions options = {}) {
  if (a.shape() != b.shape()) {
    return {false, message("shapes differ: ", a.shape(), " and ", b.shape())};
  }
  const float *x = a.data(), *y = b.data();
  std::int64_t first = -1, worst = -1, count = 0;
  double largest = -1.0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double difference = std::fabs(double{x[i]} - double{y[i]});
    if (difference <= options.atol + options.rtol * std::fabs(double{y[i]})) continue;
    ++count;
    if (first < 0) first = i;
    if (worst < 0 || difference > largest) {
      worst = i;
      largest = difference;
    }
  }
  if (count == 0) return {};
  return {false, message(count, " of ", a.numel(), " elements differ; first at ", first, ": ",
                         x[first], " and ", y[first], "; largest difference ", largest, " at ",
                         worst, ": ", x[worst], " and ", y[worst])};
}
#define CHECK_ALLCLOSE(...) CHECK(::octet::testing::allclose(__VA_ARGS__))

// The same shape, dtype and bytes.
inline Verdict same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) {
    return {false, message(name_of(a.dtype()), " ", a.shape(), " and ", name_of(b.dtype()), " ",
                           b.shape())};
  }
  const auto x = a.bytes(), y = b.bytes();
  const auto at = std::mismatch(x.begin(), x.end(), y.begin()).first;
  if (at == x.end()) return {};
  const std::int64_t i = (at - x.begin()) / static_cast<std::int64_t>(size_of(a.dtype()));
  if (a.dtype() != DType::kF32) return {false, message("first different element: ", i)};
  return {false, message("first different element: ", i, ": ", a.data()[i], " and ", b.data()[i])};
}
#define CHECK_SAME_BITS(...) CHECK(::octet::testing::same_bits(__VA_ARGS__))

// sum(x * weights), accumulated in double; differentiable. Turns the result of an op into a scalar
// whose gradient reaches every element with a different weight.
inline Tensor weighted_sum(const Tensor& x, const Tensor& weights) {
  struct WeightedSumBackward final : Node {
    Tensor weights;
    const char* name() const override { return "WeightedSumBackward"; }
    std::vector<Tensor> backward(const Tensor& grad_output) override {
      Tensor grad = Tensor::empty(weights.shape());
      std::transform(weights.data(), weights.data() + weights.numel(), grad.mutable_data(),
                     [&](float w) { return w * grad_output.item(); });
      return {grad};
    }
  };
  double sum = 0.0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    sum += double{x.data()[i]} * double{weights.data()[i]};
  }
  Tensor result = Tensor::full({1}, static_cast<float>(sum));
  if (should_record({x})) {
    auto node = std::make_shared<WeightedSumBackward>();
    node->weights = weights;
    attach(result, {x}, std::move(node));
  }
  return result;
}

using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

struct Gradients {
  std::vector<Tensor> of_inputs;  // of sum(fn(inputs) * randn), by backward
  bool history_released = true;   // although the result still lives
};

inline Gradients gradients(const TensorFunction& fn, const std::vector<Tensor>& inputs) {
  struct IdentityBackward final : Node {
    const char* name() const override { return "IdentityBackward"; }
    std::vector<Tensor> backward(const Tensor& grad_output) override { return {grad_output}; }
  };
  std::vector<Tensor> leaves, arguments;
  std::vector<std::weak_ptr<Node>> history;
  for (const Tensor& input : inputs) {
    leaves.push_back(input.clone().set_requires_grad(true));
    arguments.push_back(leaves.back().detach());
    attach(arguments.back(), {leaves.back()}, std::make_shared<IdentityBackward>());
    history.push_back(arguments.back().grad_fn());
  }
  const Tensor result = fn(arguments);
  arguments.clear();
  backward(weighted_sum(result, randn(result.shape(), 4711)));
  Gradients grads;
  for (const Tensor& leaf : leaves) grads.of_inputs.push_back(leaf.grad());
  for (const auto& node : history) grads.history_released &= node.expired();
  return grads;
}

struct GradcheckOptions {
  double eps = 1e-2;  // 0.1 to 1 for ops linear in each argument: there only rounding errs
  double tol = 1e-2;  // largest error, relative to the input's largest gradient
};

// Compares the gradients of sum(fn(inputs) * randn) by backward with central differences
// (fn(x + eps) - fn(x - eps)) / 2 eps, element by element. All inputs are float32 and small. `fn`
// must keep away from kinks within eps of its inputs.
inline Verdict gradcheck(const TensorFunction& fn, const std::vector<Tensor>& inputs,
                         GradcheckOptions options = {}) {
  const auto value = [&](const std::vector<Tensor>& at) {
    const NoGradGuard guard;
    const Tensor y = fn(at), weights = randn(y.shape(), 4711);
    double sum = 0.0;
    for (std::int64_t i = 0; i < y.numel(); ++i) {
      sum += double{y.data()[i]} * double{weights.data()[i]};
    }
    return sum;
  };
  const Gradients all = gradients(fn, inputs);
  if (!all.history_released) {
    return {false, "a node keeps the graph before it alive: save tensors with detach()"};
  }
  const std::vector<Tensor>& grads = all.of_inputs;
  std::vector<std::vector<double>> numeric(inputs.size());
  double largest_of_all = 0.0;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    std::vector<Tensor> at = inputs;
    at[k] = inputs[k].clone();
    float* x = at[k].mutable_data();
    for (std::int64_t i = 0; i < inputs[k].numel(); ++i) {
      const float middle = x[i];
      const float high = static_cast<float>(middle + options.eps);
      const float low = static_cast<float>(middle - options.eps);
      x[i] = high;
      const double above = value(at);
      x[i] = low;
      const double below = value(at);
      x[i] = middle;
      numeric[k].push_back((above - below) / (double{high} - double{low}));
      largest_of_all = std::max(largest_of_all, std::fabs(numeric[k].back()));
    }
  }
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!grads[k].defined()) return {false, message("input ", k, " has no gradient")};
    if (grads[k].shape() != inputs[k].shape()) {
      return {false, message("gradient of input ", k, " has shape ", grads[k].shape())};
    }
    // An input without influence has differences of pure rounding: hence the share of the others.
    double largest = 1e-3 * largest_of_all;
    for (const double g : numeric[k]) largest = std::max(largest, std::fabs(g));
    for (std::size_t i = 0; i < numeric[k].size(); ++i) {
      const double analytic = double{grads[k].data()[i]};
      if (!(std::fabs(analytic - numeric[k][i]) <= options.tol * largest)) {
        return {false, message("input ", k, ", element ", i, ": backward gives ", analytic,
                               ", differences give ", numeric[k][i], " (largest ", largest, ")")};
      }
    }
  }
  return {};
}

// Calls fn(isa) under each instruction set of this CPU as the process's cap, and restores the cap.
template <class Fn>
void for_each_isa(const Fn& fn) {
  struct Restore {
    Isa isa = process_isa();
    ~Restore() { set_process_isa(isa); }
  } const restore;
  for (const Isa isa : supported_isas()) {
    set_process_isa(isa);
    INFO("isa ", std::string(name_of(isa)));
    fn(isa);
  }
}

// Calls fn(threads) with 1, 2 and 3 threads, and restores the number.
template <class Fn>
void for_each_threads(const Fn& fn) {
  struct Restore {
    int threads = num_threads();
    ~Restore() { set_num_threads(threads); }
  } const restore;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    INFO("threads ", threads);
    fn(threads);
  }
}

}  // namespace octet::testing
