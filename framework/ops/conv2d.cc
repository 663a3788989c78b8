#include "ops/conv2d.h"

#include "kernels/f32/batch_norm.h"
#include "ops/convolution.h"

namespace octet {
namespace {

using kernels::Conv2dShape;

Conv2dShape checked_shape(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Conv2dOptions& options) {
  const std::int64_t stride = options.stride, padding = options.padding, groups = options.groups;
  OCTET_CHECK(x.rank() == 4 && weight.rank() == 4,
              "[conv2d] expects x [N, H, W, I] and weight [O, KH, KW, I / groups], got ", x.shape(),
              " and ", weight.shape());
  OCTET_CHECK(stride >= 1 && padding >= 0 && groups >= 1,
              "[conv2d] expects stride >= 1, padding >= 0, groups >= 1, got ", stride, ", ",
              padding, ", ", groups);
  const Conv2dShape s = {.batch = x.dim(0),
                         .height = x.dim(1),
                         .width = x.dim(2),
                         .in = x.dim(3),
                         .out = weight.dim(0),
                         .kernel_h = weight.dim(1),
                         .kernel_w = weight.dim(2),
                         .stride = stride,
                         .padding = padding,
                         .groups = groups};
  OCTET_CHECK(x.numel() > 0 && weight.numel() > 0, "[conv2d] expects extents of at least 1, got x ",
              x.shape(), ", weight ", weight.shape());
  OCTET_CHECK(s.in % groups == 0 && s.out % groups == 0 && weight.dim(3) * groups == s.in,
              "[conv2d] weight ", weight.shape(), " does not fit ", s.in, " channels in ", groups,
              " groups");
  OCTET_CHECK(s.height + 2 * padding >= s.kernel_h && s.width + 2 * padding >= s.kernel_w,
              "[conv2d] kernel ", s.kernel_h, "x", s.kernel_w, " is larger than the padded image ",
              s.height + 2 * padding, "x", s.width + 2 * padding);
  OCTET_CHECK(!bias.defined() || bias.shape() == Shape{s.out}, "[conv2d] bias expects shape [",
              s.out, "], got ", bias.shape());
  return s;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options) {
  const Conv2dShape shape = checked_shape(x, weight, bias, options);
  const std::int64_t part = options.max_pool ? 2 : 1;
  const std::int64_t height = shape.out_height() / part, width = shape.out_width() / part;
  OCTET_CHECK(height >= 1 && width >= 1, "[conv2d] the result ", shape.out_height(), "x",
              shape.out_width(), " is too small for max-pool of 2x2 windows");
  return convolution("Conv2dBackward", shape, x, weight, bias,
                     {.relu = options.activation == Activation::kRelu, .halve = options.max_pool},
                     {shape.batch, height, width, shape.out});
}

ConvolutionResult conv2d_with_statistics(const Tensor& x, const Tensor& weight,
                                         Conv2dOptions options) {
  OCTET_CHECK(options.activation == Activation::kNone && !options.max_pool,
              "[conv2d] statistics are of the plain convolution");
  const Conv2dShape shape = checked_shape(x, weight, {}, options);
  const Shape result = {shape.batch, shape.out_height(), shape.out_width(), shape.out};
  const kernels::BatchNormShape rows{result.numel() / shape.out, shape.out};
  Tensor statistics = Tensor::empty({rows.chunks(), 3, rows.lanes()});
  const Tensor y = convolution("Conv2dBackward", shape, x, weight, {},
                               {.statistics = statistics.mutable_data()}, result);
  return {y, statistics};
}

}  // namespace octet
