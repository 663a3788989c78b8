#include "ops/linear.h"

#include "ops/convolution.h"

namespace octet {

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
  OCTET_CHECK(x.rank() == 2 && weight.rank() == 2,
              "[linear] expects x [N, I] and weight [O, I], got ", x.shape(), " and ",
              weight.shape());
  OCTET_CHECK(x.dim(1) == weight.dim(1), "[linear] expects ", weight.dim(1), " features, got ",
              x.dim(1));
  OCTET_CHECK(x.numel() > 0 && weight.numel() > 0, "[linear] expects extents of at least 1, got x ",
              x.shape(), ", weight ", weight.shape());
  OCTET_CHECK(!bias.defined() || bias.shape() == Shape{weight.dim(0)},
              "[linear] bias expects shape [", weight.dim(0), "], got ", bias.shape());
  // A convolution of images of one pixel.
  return convolution("LinearBackward", {.batch = x.dim(0), .in = x.dim(1), .out = weight.dim(0)}, x,
                     weight, bias, {.relu = activation == Activation::kRelu},
                     {x.dim(0), weight.dim(0)});
}

}  // namespace octet
