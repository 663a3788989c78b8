#include "ops/matmul.h"

#include "base/cpu.h"
#include "kernels/bf16/conv2d.h"
#include "kernels/f32/conv2d.h"
#include "ops/autocast.h"
#include "ops/elementwise.h"
#include "ops/scratch.h"

namespace octet {
namespace {

using kernels::Conv2dShape;

const kernels::F32Kernels& f32() { return kernels::select_f32_kernels(process_isa()); }
const kernels::Bf16Kernels& bf16() { return kernels::select_bf16_kernels(process_isa()); }

bool in_bf16() { return autocast_precision() == Precision::kBf16; }

void check_product(const char* name, const Tensor& a, const Tensor& b, std::int64_t a_axis,
                   std::int64_t b_axis) {
  check_values(name, a);
  check_values(name, b);
  OCTET_CHECK(a.rank() == 2 && b.rank() == 2, "[", name, "] expects two matrices, got ", a.shape(),
              " and ", b.shape());
  OCTET_CHECK(a.dim(a_axis) == b.dim(b_axis) && a.numel() > 0 && b.numel() > 0, "[", name,
              "] cannot multiply ", a.shape(), " and ", b.shape());
}

}  // namespace

// A linear layer's three passes are the three products: y = x w^T, dx = dy w, dw = dy^T x.

Tensor matmul_nt(const Tensor& a, const Tensor& b) {
  check_product("matmul_nt", a, b, 1, 1);
  const Conv2dShape layer{.batch = a.dim(0), .in = a.dim(1), .out = b.dim(0)};
  Tensor y = Tensor::empty({layer.batch, layer.out});
  if (in_bf16()) {
    Scratch scratch(bf16_conv2d_forward_scratch_floats(layer));
    bf16_conv2d_forward(bf16(), layer, a.data(), b.data(), nullptr, y.mutable_data(),
                        scratch.data());
  } else {
    Scratch scratch(conv2d_forward_scratch_floats(layer));
    conv2d_forward(f32(), layer, a.data(), b.data(), nullptr, y.mutable_data(), scratch.data());
  }
  return y;
}

Tensor matmul_nn(const Tensor& a, const Tensor& b) {
  check_product("matmul_nn", a, b, 1, 0);
  const Conv2dShape layer{.batch = a.dim(0), .in = b.dim(1), .out = a.dim(1)};
  Tensor dx = Tensor::empty({layer.batch, layer.in});
  if (in_bf16()) {
    Scratch scratch(bf16_conv2d_data_gradient_scratch_floats(layer, {a.data()}));
    bf16_conv2d_data_gradient(bf16(), layer, {a.data()}, b.data(), dx.mutable_data(),
                              scratch.data());
  } else {
    Scratch scratch(conv2d_data_gradient_scratch_floats(layer, {a.data()}));
    conv2d_data_gradient(f32(), layer, {a.data()}, b.data(), dx.mutable_data(), scratch.data());
  }
  return dx;
}

Tensor matmul_tn(const Tensor& a, const Tensor& b) {
  check_product("matmul_tn", a, b, 0, 0);
  const Conv2dShape layer{.batch = a.dim(0), .in = b.dim(1), .out = a.dim(1)};
  Tensor dw = Tensor::empty({layer.out, layer.in});
  if (in_bf16()) {
    Scratch scratch(bf16_conv2d_weight_gradient_scratch_floats(layer));
    bf16_conv2d_weight_gradient(bf16(), layer, b.data(), {a.data()}, dw.mutable_data(),
                                scratch.data());
  } else {
    Scratch scratch(conv2d_weight_gradient_scratch_floats(layer));
    conv2d_weight_gradient(f32(), layer, b.data(), {a.data()}, dw.mutable_data(), scratch.data());
  }
  return dw;
}

}  // namespace octet
