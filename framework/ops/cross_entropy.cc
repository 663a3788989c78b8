#include "ops/cross_entropy.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "base/fast_math.h"
#include "base/float_environment.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

constexpr std::int64_t kRowsPerChunk = 32;

// Calls body(n) for every row, fixed chunks of rows in parallel.
template <class Body>
void for_each_row(std::int64_t rows, const Body& body) {
  parallel_for((rows + kRowsPerChunk - 1) / kRowsPerChunk, [&](std::int64_t chunk) {
    const std::int64_t end = std::min(rows, (chunk + 1) * kRowsPerChunk);
    for (std::int64_t n = chunk * kRowsPerChunk; n < end; ++n) body(n);
  });
}

struct CrossEntropyBackward final : Node {
  Tensor probabilities;  // [N, C], softmax of the logits
  Tensor labels;
  float label_smoothing = 0.0f;

  const char* name() const override { return "CrossEntropyBackward"; }

  // (p - target) / N
  std::vector<Tensor> backward(const Tensor& grad_output) override {
    const std::int64_t rows = probabilities.dim(0), classes = probabilities.dim(1);
    const float factor = grad_output.item() / static_cast<float>(rows);
    const float other = label_smoothing / static_cast<float>(classes);
    const float hit = 1.0f - label_smoothing;
    Tensor grad = Tensor::empty(probabilities.shape());
    const float* p = probabilities.data();
    const std::int32_t* label = labels.data<std::int32_t>();
    float* into = grad.mutable_data();
    for_each_row(rows, [=](std::int64_t n) {
      const std::int64_t row = n * classes;
      for (std::int64_t c = 0; c < classes; ++c) into[row + c] = (p[row + c] - other) * factor;
      into[row + label[n]] = (p[row + label[n]] - other - hit) * factor;
    });
    return {grad, Tensor()};
  }
};

// One sample's loss; p gets its softmax. z, p: [classes]
//   log p_c = z_c - max - log(sum exp(z - max)), which neither overflows nor loses small p_c
double row_loss(const float* z, std::int64_t classes, std::int32_t label, float smoothing,
                float* p) {
  float largest = z[0];
  for (std::int64_t c = 1; c < classes; ++c) largest = std::max(largest, z[c]);
  for (std::int64_t c = 0; c < classes; ++c) p[c] = exp_f32(z[c] - largest);
  double sum = 0.0, mean = 0.0;
  for (std::int64_t c = 0; c < classes; ++c) {
    sum += double{p[c]};
    mean += double{z[c]} - double{largest};
  }
  const float inverse = static_cast<float>(1.0 / sum);
  for (std::int64_t c = 0; c < classes; ++c) p[c] *= inverse;
  const double log_sum = double{log_f32(static_cast<float>(sum))};
  const double at_label = double{z[label]} - double{largest} - log_sum;
  double loss = -(1.0 - double{smoothing}) * at_label;
  // Left out without smoothing, where 0 * infinity would make an infinite margin a NaN.
  if (smoothing > 0.0f) {
    loss -= double{smoothing} * (mean / static_cast<double>(classes) - log_sum);
  }
  return loss;
}

void check_inputs(const Tensor& logits, const Tensor& labels, float label_smoothing) {
  check_values("cross_entropy", logits);
  OCTET_CHECK(logits.rank() == 2 && logits.dim(0) > 0 && logits.dim(1) > 0,
              "[cross_entropy] expects logits [N, C], got ", logits.shape());
  OCTET_CHECK(
      labels.defined() && labels.dtype() == DType::kI32 && labels.shape() == Shape{logits.dim(0)},
      "[cross_entropy] expects I32 labels of shape [", logits.dim(0), "], got ",
      labels.defined() ? message(name_of(labels.dtype()), " ", labels.shape())
                       : std::string("an undefined tensor"));
  OCTET_CHECK(label_smoothing >= 0.0f && label_smoothing < 1.0f,
              "[cross_entropy] expects 0 <= label_smoothing < 1, got ", label_smoothing);
  const std::int32_t* label = labels.data<std::int32_t>();
  for (std::int64_t n = 0; n < logits.dim(0); ++n) {
    OCTET_CHECK(label[n] >= 0 && label[n] < logits.dim(1), "[cross_entropy] expects labels below ",
                logits.dim(1), ", got ", label[n], " at ", n);
  }
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, float label_smoothing) {
  const FloatEnvironment environment;
  check_inputs(logits, labels, label_smoothing);
  const std::int64_t rows = logits.dim(0), classes = logits.dim(1);
  Tensor probabilities = Tensor::empty(logits.shape());
  std::vector<double> losses(static_cast<std::size_t>(rows));
  const float* z = logits.data();
  const std::int32_t* label = labels.data<std::int32_t>();
  float* p = probabilities.mutable_data();
  for_each_row(rows, [=, &losses](std::int64_t n) {
    losses[static_cast<std::size_t>(n)] =
        row_loss(z + n * classes, classes, label[n], label_smoothing, p + n * classes);
  });
  double sum = 0.0;
  for (const double loss : losses) sum += loss;
  Tensor result = Tensor::full({1}, static_cast<float>(sum / static_cast<double>(rows)));
  if (should_record({logits})) {
    auto node = std::make_shared<CrossEntropyBackward>();
    node->probabilities = std::move(probabilities);
    node->labels = labels.detach();
    node->label_smoothing = label_smoothing;
    attach(result, {logits, labels}, std::move(node));
  }
  return result;
}

}  // namespace octet
