#include "nn/twin.h"

#include <algorithm>
#include <vector>

#include "autograd/node.h"
#include "base/parallel.h"

namespace octet {
namespace {

constexpr std::int64_t kMaxProducts = 512;  // 512 * 255 * 128 < 2^24

// Channels [begin, end) of each group, less the zero point.
//   x: [N, H, W, groups * per_group] codes      returns [N, H, W, groups * (end - begin)]
Tensor slice_input(const Tensor& x, std::int64_t groups, std::int64_t begin, std::int64_t end) {
  const std::int64_t channels = x.dim(3), per_group = channels / groups, size = end - begin;
  const float zero_point = static_cast<float>(x.qparams()->zero_point);
  Tensor y = Tensor::empty({x.dim(0), x.dim(1), x.dim(2), groups * size});
  const float* from = x.data();
  float* to = y.mutable_data();
  parallel_for(x.numel() / channels, [&](std::int64_t pixel) {
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t c = 0; c < size; ++c) {
        to[(pixel * groups + g) * size + c] =
            from[pixel * channels + g * per_group + begin + c] - zero_point;
      }
    }
  });
  return y;
}

// Input channels [begin, end) of the weight codes, and 0 at the taps outside [first_tap, last_tap).
//   returns [O, KH, KW, end - begin]
Tensor slice_weight(const IntegerForm& form, std::int64_t begin, std::int64_t end,
                    std::int64_t first_tap, std::int64_t last_tap) {
  const Shape& s = form.weight_shape;
  const std::int64_t taps = s[1] * s[2], size = end - begin;
  Tensor w = Tensor::zeros({s[0], s[1], s[2], size});
  float* to = w.mutable_data();
  for (std::int64_t o = 0; o < s[0]; ++o) {
    for (std::int64_t t = first_tap; t < last_tap; ++t) {
      const std::int8_t* from = form.weight.data() + (o * taps + t) * s[3] + begin;
      std::copy_n(from, size, to + (o * taps + t) * size);
    }
  }
  return w;
}

// acc[pixel, o] = bias[o] + sum (q - Z_x) w.  x: [N, H, W, I] codes; form.weight_shape has rank 4.
// Blocks are added modulo 2^32: the sum itself fits into int32, as Graph::validate proves.
struct Accumulators {
  Shape shape;  // [N, OH, OW, O]
  std::vector<std::uint32_t> acc;
};

Accumulators accumulate(const Tensor& x, const IntegerForm& form, Conv2dOptions options) {
  const NoGradGuard no_grad;
  const Shape& s = form.weight_shape;
  const std::int64_t taps = s[1] * s[2], out = s[0];
  const std::int64_t channel_block = std::max<std::int64_t>(1, kMaxProducts / taps);
  const std::int64_t tap_block = std::min(taps, kMaxProducts);
  Accumulators a;
  for (std::int64_t c = 0; c < s[3]; c += channel_block) {
    const std::int64_t c_end = std::min(s[3], c + channel_block);
    const Tensor input = slice_input(x, options.groups, c, c_end);
    for (std::int64_t t = 0; t < taps; t += tap_block) {
      const Tensor weight = slice_weight(form, c, c_end, t, std::min(taps, t + tap_block));
      const Tensor y = conv2d(input, weight, Tensor(), options);
      const float* sums = y.data();
      const bool first = a.acc.empty();
      a.shape = y.shape();
      a.acc.resize(static_cast<std::size_t>(y.numel()));
      parallel_for(y.numel() / out, [&](std::int64_t row) {
        std::uint32_t* acc = a.acc.data() + row * out;
        for (std::int64_t o = 0; o < out; ++o) {
          const std::int32_t before = first ? form.bias[static_cast<std::size_t>(o)] : 0;
          acc[o] += static_cast<std::uint32_t>(before) +
                    static_cast<std::uint32_t>(static_cast<std::int32_t>(sums[row * out + o]));
        }
      });
    }
  }
  return a;
}

// eq. (9)
Tensor to_codes(const Accumulators& a, const IntegerForm& form) {
  Tensor y = Tensor::empty(a.shape);
  float* codes = y.mutable_data();
  const std::int64_t out = form.weight_shape[0];
  parallel_for(y.numel() / out, [&](std::int64_t row) {
    for (std::int64_t o = 0; o < out; ++o) {
      const auto acc = static_cast<std::int32_t>(a.acc[static_cast<std::size_t>(row * out + o)]);
      codes[row * out + o] = static_cast<float>(
          requantize_one(acc, form.requant[static_cast<std::size_t>(o)], form.output.zero_point,
                         form.clamp.quant_min, form.clamp.quant_max));
    }
  });
  y.set_qparams(form.output);
  return y;
}

// A linear layer is a convolution of a 1 x 1 image.
Accumulators accumulate_linear(const Tensor& x, IntegerForm& form) {
  OCTET_CHECK(x.rank() == 2 && x.dim(1) == form.weight_shape[1], "expects ", form.weight_shape[1],
              " features, got shape ", x.shape());
  form.weight_shape = {form.weight_shape[0], 1, 1, form.weight_shape[1]};
  Accumulators a = accumulate(x.reshape({x.dim(0), 1, 1, x.dim(1)}), form, {});
  a.shape = {x.dim(0), form.weight_shape[0]};
  return a;
}

}  // namespace

Tensor conv2d_codes(const Tensor& x, const IntegerForm& form, Conv2dOptions options) {
  OCTET_CHECK(x.rank() == 4 && x.dim(3) == form.weight_shape[3] * options.groups,
              "expects an image of ", form.weight_shape[3] * options.groups,
              " channels, got shape ", x.shape());
  return to_codes(accumulate(x, form, options), form);
}

Tensor linear_codes(const Tensor& x, IntegerForm form) {
  const Accumulators a = accumulate_linear(x, form);
  return to_codes(a, form);
}

// eq. (10)
Tensor linear_logits(const Tensor& x, IntegerForm form) {
  const Accumulators a = accumulate_linear(x, form);
  Tensor y = Tensor::empty(a.shape, DType::kI32);
  std::int32_t* logit = y.mutable_data<std::int32_t>();
  for (std::size_t i = 0; i < a.acc.size(); ++i) {
    const Requant& r = form.requant[i % form.requant.size()];
    logit[i] = requantize_to_s32(static_cast<std::int32_t>(a.acc[i]), r);
  }
  y.set_qparams(form.output);
  return y;
}

}  // namespace octet
