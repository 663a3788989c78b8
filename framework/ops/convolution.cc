#include "ops/convolution.h"

#include <memory>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "base/cpu.h"
#include "kernels/f32/conv2d.h"
#include "ops/scratch.h"

namespace octet {
namespace {

using kernels::Conv2dShape;
using kernels::F32Kernels;

struct ConvolutionBackward final : Node {
  const char* node_name = nullptr;
  Conv2dShape shape;
  Tensor x, weight;  // without their history
  Tensor y;          // the result, where a ReLU made it
  Tensor cells;      // u8, as y: where the largest of each window was, with max-pool

  const char* name() const override { return node_name; }

  std::vector<Tensor> backward(const Tensor& dy) override {
    const kernels::OutputGradient gradient{dy.data(), y.defined() ? y.data() : nullptr,
                                           cells.defined() ? cells.data<std::uint8_t>() : nullptr};
    const F32Kernels& isa = kernels::select_f32_kernels(process_isa());
    Tensor dx, dw, db;
    if (inputs[0].needs_grad()) {
      dx = Tensor::empty(x.shape());
      Scratch scratch(conv2d_data_gradient_scratch_floats(shape, gradient));
      conv2d_data_gradient(isa, shape, gradient, weight.data(), dx.mutable_data(), scratch.data());
    }
    if (inputs[2].needs_grad()) db = Tensor::empty({shape.out});
    if (inputs[1].needs_grad()) {
      dw = Tensor::empty(weight.shape());
      Scratch scratch(conv2d_weight_gradient_scratch_floats(shape));
      conv2d_weight_gradient(isa, shape, x.data(), gradient, dw.mutable_data(), scratch.data(),
                             db.defined() ? db.mutable_data() : nullptr);
    } else if (db.defined()) {
      Scratch scratch(conv2d_bias_gradient_scratch_floats(shape));
      conv2d_bias_gradient(isa, shape, gradient, db.mutable_data(), scratch.data());
    }
    return {dx, dw, db};
  }
};

}  // namespace

Tensor convolution(const char* node_name, const Conv2dShape& shape, const Tensor& x,
                   const Tensor& weight, const Tensor& bias, Activation activation, bool max_pool,
                   Shape result_shape) {
  const bool recording = should_record({x, weight, bias});
  Tensor y = Tensor::empty(result_shape), cells;
  kernels::ConvolutionTail tail = {.relu = activation == Activation::kRelu, .halve = max_pool};
  if (max_pool && recording) {
    cells = Tensor::empty(std::move(result_shape), DType::kU8);
    tail.cells = cells.mutable_data<std::uint8_t>();
  }
  {
    Scratch scratch(conv2d_forward_scratch_floats(shape, tail));
    conv2d_forward(kernels::select_f32_kernels(process_isa()), shape, x.data(), weight.data(),
                   bias.defined() ? bias.data() : nullptr, y.mutable_data(), scratch.data(), tail);
  }
  if (recording) {
    auto node = std::make_shared<ConvolutionBackward>();
    node->node_name = node_name;
    node->shape = shape;
    node->x = x.detach();
    node->weight = weight.detach();
    if (tail.relu) node->y = y.detach();
    node->cells = std::move(cells);
    attach(y, {x, weight, bias}, std::move(node));
  }
  return y;
}

}  // namespace octet
