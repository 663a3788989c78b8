#include "ops/concat.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "autograd/node.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

// Copies `count` runs of `length` floats between places that advance by the given strides.
struct Runs {
  std::int64_t count, length;
};
void copy_runs(const float* from, std::int64_t from_stride, float* into, std::int64_t into_stride,
               Runs runs) {
  const std::int64_t per_chunk =
      std::max<std::int64_t>(1, kChunk / std::max(runs.length, into_stride));
  parallel_for((runs.count + per_chunk - 1) / per_chunk, [=](std::int64_t chunk) {
    const std::int64_t end = std::min(runs.count, (chunk + 1) * per_chunk);
    for (std::int64_t r = chunk * per_chunk; r < end; ++r) {
      std::copy_n(from + r * from_stride, runs.length, into + r * into_stride);
    }
  });
}

struct ConcatBackward final : Node {
  std::vector<Shape> shapes;  // of the inputs

  const char* name() const override { return "ConcatBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    const std::int64_t total = grad_output.dim(grad_output.rank() - 1);
    std::vector<Tensor> grads(shapes.size());
    std::int64_t at = 0;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::int64_t channels = shapes[i][shapes[i].rank() - 1];
      if (inputs[i].needs_grad()) {
        grads[i] = Tensor::empty(shapes[i]);
        copy_runs(grad_output.data() + at, total, grads[i].mutable_data(), channels,
                  {.count = grad_output.numel() / total, .length = channels});
      }
      at += channels;
    }
    return grads;
  }
};

// The shape of the result.
Shape check_inputs(const std::vector<Tensor>& inputs) {
  OCTET_CHECK(!inputs.empty(), "[concat] expects at least one tensor, got none");
  for (const Tensor& input : inputs) check_values("concat", input);
  std::vector<std::int64_t> first = inputs[0].shape().dims();
  OCTET_CHECK(!first.empty(), "[concat] expects tensors with at least one axis, got a scalar");
  std::int64_t channels = 0;
  for (const Tensor& input : inputs) {
    std::vector<std::int64_t> dims = input.shape().dims();
    OCTET_CHECK(
        dims.size() == first.size() && std::equal(dims.begin(), dims.end() - 1, first.begin()),
        "[concat] expects tensors that differ in the last axis only, got ", inputs[0].shape(),
        " and ", input.shape());
    OCTET_CHECK(dims.back() > 0, "[concat] expects at least one channel, got ", input.shape());
    channels += dims.back();
  }
  first.back() = channels;
  return Shape(std::move(first));
}

}  // namespace

Tensor concat(const std::vector<Tensor>& inputs) {
  Tensor y = Tensor::empty(check_inputs(inputs));
  const std::int64_t total = y.dim(y.rank() - 1), rows = y.numel() / total;
  std::int64_t at = 0;
  for (const Tensor& input : inputs) {
    const std::int64_t channels = input.dim(input.rank() - 1);
    copy_runs(input.data(), channels, y.mutable_data() + at, total,
              {.count = rows, .length = channels});
    at += channels;
  }
  if (should_record(inputs)) {
    auto node = std::make_shared<ConcatBackward>();
    for (const Tensor& input : inputs) node->shapes.push_back(input.shape());
    attach(y, inputs, std::move(node));
  }
  return y;
}

}  // namespace octet
