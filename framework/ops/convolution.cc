#include "ops/convolution.h"

#include <memory>
#include <utility>
#include <vector>

#include "autograd/node.h"
#include "base/cpu.h"
#include "kernels/bf16/conv2d.h"
#include "kernels/f32/conv2d.h"
#include "ops/autocast.h"
#include "ops/scratch.h"

namespace octet {
namespace {

using kernels::Bf16Kernels;
using kernels::Conv2dShape;
using kernels::F32Kernels;

const F32Kernels& f32() { return kernels::select_f32_kernels(process_isa()); }
const Bf16Kernels& bf16() { return kernels::select_bf16_kernels(process_isa()); }

// Grouped convolutions have float32 products only.
bool multiplies_bf16(const Conv2dShape& shape) {
  return autocast_precision() == Precision::kBf16 && shape.groups == 1;
}

struct ConvolutionBackward final : Node {
  const char* node_name = nullptr;
  Conv2dShape shape;
  bool in_bf16 = false;  // the products
  Tensor x, weight;      // without their history
  Tensor y;              // the result, where a ReLU made it
  Tensor cells;          // u8, as y: where the largest of each window was, with max-pool

  Tensor sum;  // of the other gradients of x, taken over

  const char* name() const override { return node_name; }

  void take_sum(Tensor& others) override {
    if (!y.defined() && !cells.defined() && data_gradient_adds(shape)) sum = std::move(others);
  }

  std::vector<Tensor> backward(const Tensor& dy) override {
    const kernels::OutputGradient gradient{dy.data(), y.defined() ? y.data() : nullptr,
                                           cells.defined() ? cells.data<std::uint8_t>() : nullptr};
    Tensor dx, dw, db;
    if (inputs[0].needs_grad()) dx = data_gradient(gradient);
    if (inputs[2].needs_grad()) db = Tensor::empty({shape.out});
    if (inputs[1].needs_grad()) {
      dw = weight_gradient(gradient, db.defined() ? db.mutable_data() : nullptr);
    } else if (db.defined()) {
      Scratch scratch(conv2d_bias_gradient_scratch_floats(shape));
      conv2d_bias_gradient(f32(), shape, gradient, db.mutable_data(), scratch.data());
    }
    return {dx, dw, db};
  }

 private:
  Tensor data_gradient(kernels::OutputGradient gradient) {
    const bool add = sum.defined();
    Tensor dx = add ? std::move(sum) : Tensor::empty(x.shape());
    if (in_bf16) {
      Scratch scratch(bf16_conv2d_data_gradient_scratch_floats(shape, gradient));
      bf16_conv2d_data_gradient(bf16(), shape, gradient, weight.data(), dx.mutable_data(),
                                scratch.data(), add);
    } else {
      Scratch scratch(conv2d_data_gradient_scratch_floats(shape, gradient));
      conv2d_data_gradient(f32(), shape, gradient, weight.data(), dx.mutable_data(), scratch.data(),
                           add);
    }
    return dx;
  }

  Tensor weight_gradient(kernels::OutputGradient gradient, float* db) const {
    Tensor dw = Tensor::empty(weight.shape());
    if (in_bf16) {
      Scratch scratch(bf16_conv2d_weight_gradient_scratch_floats(shape));
      bf16_conv2d_weight_gradient(bf16(), shape, x.data(), gradient, dw.mutable_data(),
                                  scratch.data(), db);
    } else {
      Scratch scratch(conv2d_weight_gradient_scratch_floats(shape));
      conv2d_weight_gradient(f32(), shape, x.data(), gradient, dw.mutable_data(), scratch.data(),
                             db);
    }
    return dw;
  }
};

void forward(bool in_bf16, const Conv2dShape& shape, const Tensor& x, const Tensor& weight,
             const float* bias, float* y, const kernels::ConvolutionTail& tail) {
  if (in_bf16) {
    Scratch scratch(bf16_conv2d_forward_scratch_floats(shape, tail));
    bf16_conv2d_forward(bf16(), shape, x.data(), weight.data(), bias, y, scratch.data(), tail);
  } else {
    Scratch scratch(conv2d_forward_scratch_floats(shape, tail));
    conv2d_forward(f32(), shape, x.data(), weight.data(), bias, y, scratch.data(), tail);
  }
}

}  // namespace

Tensor convolution(const char* node_name, const Conv2dShape& shape, const Tensor& x,
                   const Tensor& weight, const Tensor& bias, kernels::ConvolutionTail tail,
                   Shape result_shape) {
  const bool recording = should_record({x, weight, bias});
  Tensor y = Tensor::empty(result_shape), cells;
  if (tail.halve && recording) {
    cells = Tensor::empty(std::move(result_shape), DType::kU8);
    tail.cells = cells.mutable_data<std::uint8_t>();
  }
  const bool in_bf16 = multiplies_bf16(shape);
  forward(in_bf16, shape, x, weight, bias.defined() ? bias.data() : nullptr, y.mutable_data(),
          tail);
  if (recording) {
    auto node = std::make_shared<ConvolutionBackward>();
    node->node_name = node_name;
    node->shape = shape;
    node->in_bf16 = in_bf16;
    node->x = x.detach();
    node->weight = weight.detach();
    if (tail.relu) node->y = y.detach();
    node->cells = std::move(cells);
    attach(y, {x, weight, bias}, std::move(node));
  }
  return y;
}

}  // namespace octet
