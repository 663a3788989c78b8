#include "ops/linear.h"

#include <memory>
#include <vector>

#include "autograd/node.h"
#include "base/cpu.h"
#include "kernels/f32/conv2d.h"
#include "ops/scratch.h"

namespace octet {
namespace {

// A convolution of images of one pixel.
kernels::Conv2dShape shape_of(const Tensor& x, const Tensor& weight) {
  return {.batch = x.dim(0), .in = x.dim(1), .out = weight.dim(0)};
}

struct LinearBackward final : Node {
  Tensor x, weight;

  const char* name() const override { return "LinearBackward"; }

  std::vector<Tensor> backward(const Tensor& dy) override {
    const kernels::F32Kernels& isa = kernels::select_f32_kernels(process_isa());
    const kernels::Conv2dShape shape = shape_of(x, weight);
    Tensor dx, dw, db;
    if (inputs[0].needs_grad()) {
      dx = Tensor::empty(x.shape());
      Scratch scratch(kernels::conv2d_data_gradient_scratch_floats(shape));
      kernels::conv2d_data_gradient(isa, shape, dy.data(), weight.data(), dx.mutable_data(),
                                    scratch.floats());
    }
    if (inputs[1].needs_grad()) {
      dw = Tensor::empty(weight.shape());
      Scratch scratch(kernels::conv2d_weight_gradient_scratch_floats(shape));
      kernels::conv2d_weight_gradient(isa, shape, x.data(), dy.data(), dw.mutable_data(),
                                      scratch.floats());
    }
    if (inputs[2].needs_grad()) {
      db = Tensor::empty({shape.out});
      Scratch scratch(kernels::column_sums_scratch_floats(shape.batch, shape.out));
      kernels::column_sums(isa, shape.batch, shape.out, dy.data(), db.mutable_data(),
                           scratch.floats());
    }
    return {dx, dw, db};
  }
};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  OCTET_CHECK(x.rank() == 2 && weight.rank() == 2,
              "[linear] expects x [N, I] and weight [O, I], got ", x.shape(), " and ",
              weight.shape());
  OCTET_CHECK(x.dim(1) == weight.dim(1), "[linear] expects ", weight.dim(1), " features, got ",
              x.dim(1));
  OCTET_CHECK(x.numel() > 0 && weight.numel() > 0, "[linear] expects extents of at least 1, got x ",
              x.shape(), ", weight ", weight.shape());
  OCTET_CHECK(!bias.defined() || bias.shape() == Shape{weight.dim(0)},
              "[linear] bias expects shape [", weight.dim(0), "], got ", bias.shape());
  const kernels::Conv2dShape shape = shape_of(x, weight);
  Tensor y = Tensor::empty({shape.batch, shape.out});
  {
    Scratch scratch(kernels::conv2d_forward_scratch_floats(shape));
    kernels::conv2d_forward(kernels::select_f32_kernels(process_isa()), shape, x.data(),
                            weight.data(), bias.defined() ? bias.data() : nullptr, y.mutable_data(),
                            scratch.floats());
  }
  if (should_record({x, weight, bias})) {
    auto node = std::make_shared<LinearBackward>();
    node->x = x;
    node->weight = weight;
    attach(y, {x, weight, bias}, std::move(node));
  }
  return y;
}

}  // namespace octet
