#include "nn/twin.h"

#include "tests/testing.h"

namespace octet {
namespace {

struct Case {
  std::int64_t channels, out, kernel, stride, padding, groups;
};

Tensor random_codes(Shape shape, QParams q, std::uint64_t seed) {
  Tensor x = Tensor::empty(std::move(shape));
  Rng rng(seed, RngPurpose::kTest);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    x.mutable_data()[i] = static_cast<float>(rng.below(256));
  }
  x.set_qparams(q);
  return x;
}

IntegerForm random_form(Shape weight_shape, QParams input, std::uint64_t seed) {
  Rng rng(seed, RngPurpose::kTest);
  IntegerForm f;
  f.weight.resize(static_cast<std::size_t>(weight_shape.numel()));
  for (std::int8_t& w : f.weight)
    w = static_cast<std::int8_t>(static_cast<int>(rng.below(256)) - 128);
  for (std::int64_t o = 0; o < weight_shape[0]; ++o) {
    f.bias.push_back(static_cast<std::int32_t>(rng.next()) >> 15);
    f.weight_scale.push_back(1.0f);
    f.requant.push_back(make_requant(3e-4 * (1.0 + static_cast<double>(rng.uniform()))));
  }
  f.weight_shape = std::move(weight_shape);
  f.input = input;
  f.output = {0.5f, 128};
  f.clamp = kActivationRange;
  return f;
}

// The definition, in 64-bit integers.
std::int64_t accumulator(const Tensor& x, const IntegerForm& f, const Case& c, std::int64_t n,
                         std::int64_t y, std::int64_t z, std::int64_t o) {
  const std::int64_t per_group = c.channels / c.groups, group = o / (c.out / c.groups);
  std::int64_t acc = f.bias[static_cast<std::size_t>(o)];
  for (std::int64_t kh = 0; kh < c.kernel; ++kh) {
    for (std::int64_t kw = 0; kw < c.kernel; ++kw) {
      const std::int64_t h = y * c.stride - c.padding + kh, w = z * c.stride - c.padding + kw;
      if (h < 0 || h >= x.dim(1) || w < 0 || w >= x.dim(2)) continue;
      for (std::int64_t i = 0; i < per_group; ++i) {
        const auto code = static_cast<std::int64_t>(
            x.data()[((n * x.dim(1) + h) * x.dim(2) + w) * c.channels + group * per_group + i]);
        acc += (code - f.input.zero_point) *
               f.weight[static_cast<std::size_t>(((o * c.kernel + kh) * c.kernel + kw) * per_group +
                                                 i)];
      }
    }
  }
  return acc;
}

}  // namespace

TEST_CASE("twin: a convolution on codes is its definition in integers") {
  // K = kernel^2 channels / groups: 18, 576 (two blocks), 1152 in 2 groups, 625 taps of one
  // channel.
  for (const Case& c : {Case{2, 5, 3, 1, 1, 1}, Case{64, 3, 3, 2, 1, 1}, Case{256, 4, 3, 1, 0, 2},
                        Case{1, 2, 25, 1, 0, 1}, Case{600, 3, 1, 1, 0, 1}}) {
    CAPTURE(c.channels);
    CAPTURE(c.kernel);
    const QParams q{0.5f, 77};
    const std::int64_t side = c.kernel + 2;
    const Tensor x = random_codes({2, side, side, c.channels}, q, 1);
    const IntegerForm f = random_form({c.out, c.kernel, c.kernel, c.channels / c.groups}, q, 2);
    const Tensor y =
        conv2d_codes(x, f, {.stride = c.stride, .padding = c.padding, .groups = c.groups});
    CHECK(y.qparams() == f.output);
    std::int64_t wrong = 0, inner = 0, i = 0;
    for (std::int64_t n = 0; n < y.dim(0); ++n) {
      for (std::int64_t h = 0; h < y.dim(1); ++h) {
        for (std::int64_t w = 0; w < y.dim(2); ++w) {
          for (std::int64_t o = 0; o < c.out; ++o, ++i) {
            const auto acc = static_cast<std::int32_t>(accumulator(x, f, c, n, h, w, o));
            const std::int32_t code =
                requantize_one(acc, f.requant[static_cast<std::size_t>(o)], 128, 0, 255);
            wrong += y.data()[i] != static_cast<float>(code);
            inner += code > 0 && code < 255;
          }
        }
      }
    }
    CHECK(i == y.numel());
    CHECK(wrong == 0);
    CHECK(inner > 0);  // the clamp does not hide everything
  }
}

TEST_CASE("twin: logits are integers beyond what a float could hold") {
  const QParams q{1.0f, 0};
  Tensor x = Tensor::full({1, 1000}, 255.0f);
  x.set_qparams(q);
  IntegerForm f = random_form({2, 1000}, q, 3);
  std::fill(f.weight.begin(), f.weight.begin() + 1000, std::int8_t{127});
  std::fill(f.weight.begin() + 1000, f.weight.end(), std::int8_t{-128});
  f.bias = {1, -1};
  f.requant = {make_requant(64.0), make_requant(33.0)};
  f.output = {0.25f, 0};
  const Tensor y = linear_logits(x, f);
  CHECK(y.dtype() == DType::kI32);
  CHECK(y.qparams() == f.output);
  CHECK(y.data<std::int32_t>()[0] == 64 * (127 * 255 * 1000 + 1));
  CHECK(y.data<std::int32_t>()[1] == -33 * (128 * 255 * 1000 + 1));
  const Tensor codes = linear_codes(x, f);
  CHECK(codes.data()[0] == 255.0f);
  CHECK(codes.data()[1] == 0.0f);
}

}  // namespace octet
