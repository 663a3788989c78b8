// OpenBLAS as the reference: convolutions, and linear layers as the 1x1 case, against im2col and
// cblas_sgemm. A library of other authors computes the sums in an order of its own.
#include <cblas.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/f32/conv2d.h"
#include "tests/kernels/f32/numbers.h"

namespace octet::kernels {
namespace {

using testing::chain_error;
using testing::random_floats;
using Floats = std::vector<float>;

struct Layer {
  const char* name;
  Conv2dShape shape;
};

Conv2dShape square(std::int64_t batch, std::int64_t side, std::int64_t in, std::int64_t out,
                   std::int64_t kernel, std::int64_t stride, std::int64_t padding,
                   std::int64_t groups = 1) {
  return {.batch = batch,
          .height = side,
          .width = side,
          .in = in,
          .out = out,
          .kernel_h = kernel,
          .kernel_w = kernel,
          .stride = stride,
          .padding = padding,
          .groups = groups};
}

const std::vector<Layer> kLayers = {
    {"LeNet conv1", square(4, 28, 1, 6, 5, 1, 2)},
    {"LeNet conv2", square(4, 14, 6, 16, 5, 1, 0)},
    {"LeNet fc1", square(128, 1, 400, 120, 1, 1, 0)},
    {"LeNet fc2", square(128, 1, 120, 84, 1, 1, 0)},
    {"LeNet fc3", square(128, 1, 84, 10, 1, 1, 0)},
    {"linear, one row", square(1, 1, 513, 1000, 1, 1, 0)},
    {"ResNet 3x3", square(2, 14, 64, 64, 3, 1, 1)},
    {"ResNet 3x3, stride 2", square(2, 15, 32, 64, 3, 2, 1)},
    {"ResNet projection 1x1, stride 2", square(2, 14, 32, 64, 1, 2, 0)},
    {"3x3 in groups", square(2, 9, 12, 20, 3, 1, 1, 4)},
    {"depthwise 3x3", square(2, 9, 24, 24, 3, 1, 1, 24)},
};

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
std::int64_t pixels(const Conv2dShape& s) { return s.batch * s.out_height() * s.out_width(); }

struct Operands {
  Floats x, weight, bias, dy;
};

struct Results {
  Floats y, dx, dw, db;
  explicit Results(const Operands& in)
      : y(in.dy.size()), dx(in.x.size()), dw(in.weight.size()), db(in.bias.size()) {}
};

Results octet_results(const Conv2dShape& s, const Operands& in) {
  Results r(in);
  const F32Kernels& kernels = select_f32_kernels(default_isa());
  AlignedBuffer buffer(
      sizeof(float) *
      std::max({conv2d_forward_scratch_floats(s), conv2d_data_gradient_scratch_floats(s, {nullptr}),
                conv2d_weight_gradient_scratch_floats(s), conv2d_bias_gradient_scratch_floats(s),
                std::size_t{1}}));
  float* scratch = buffer.as<float>();
  conv2d_forward(kernels, s, in.x.data(), in.weight.data(), in.bias.data(), r.y.data(), scratch);
  conv2d_data_gradient(kernels, s, in.dy.data(), in.weight.data(), r.dx.data(), scratch);
  conv2d_weight_gradient(kernels, s, in.x.data(), in.dy.data(), r.dw.data(), scratch);
  conv2d_bias_gradient(kernels, s, in.dy.data(), r.db.data(), scratch);
  return r;
}

// Calls use(row, tap, element of x) for each product of a group that is inside the image.
template <class Use>
void for_each_tap(const Conv2dShape& s, std::int64_t group, const Use& use) {
  const std::int64_t channels = s.in_per_group();
  for (std::int64_t p = 0; p < pixels(s); ++p) {
    const std::int64_t n = p / (s.out_height() * s.out_width());
    const std::int64_t top = p / s.out_width() % s.out_height() * s.stride - s.padding;
    const std::int64_t left = p % s.out_width() * s.stride - s.padding;
    for (std::int64_t t = 0; t < s.taps(); ++t) {
      const std::int64_t iy = top + t / channels / s.kernel_w;
      const std::int64_t ix = left + t / channels % s.kernel_w;
      if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width) continue;
      const std::int64_t channel = group * channels + t % channels;
      use(p, t, at(((n * s.height + iy) * s.width + ix) * s.in + channel));
    }
  }
}

Results openblas_results(const Conv2dShape& s, const Operands& in) {
  Results r(in);
  const auto rows = static_cast<int>(pixels(s)), taps = static_cast<int>(s.taps());
  const auto out = static_cast<int>(s.out), group_out = static_cast<int>(s.out_per_group());
  Floats columns(at(pixels(s) * s.taps()));
  for (std::int64_t p = 0; p < pixels(s); ++p) {
    std::copy(in.bias.begin(), in.bias.end(), r.y.begin() + p * s.out);
  }
  for (std::int64_t g = 0; g < s.groups; ++g) {
    const std::int64_t first = g * s.out_per_group();
    const float* weight = in.weight.data() + first * s.taps();
    std::fill(columns.begin(), columns.end(), 0.0f);
    for_each_tap(s, g, [&](std::int64_t p, std::int64_t t, std::size_t i) {
      columns[at(p * s.taps() + t)] = in.x[i];
    });
    // y = columns weight^T + bias;  dw = dy^T columns;  d columns = dy weight
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, group_out, taps, 1.0f,
                columns.data(), taps, weight, taps, 1.0f, r.y.data() + first, out);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, group_out, taps, rows, 1.0f,
                in.dy.data() + first, out, columns.data(), taps, 0.0f,
                r.dw.data() + first * s.taps(), taps);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, taps, group_out, 1.0f,
                in.dy.data() + first, out, weight, taps, 0.0f, columns.data(), taps);
    for_each_tap(s, g, [&](std::int64_t p, std::int64_t t, std::size_t i) {
      r.dx[i] += columns[at(p * s.taps() + t)];
    });
  }
  const Floats ones(at(pixels(s)), 1.0f);
  cblas_sgemv(CblasRowMajor, CblasTrans, rows, out, 1.0f, in.dy.data(), out, ones.data(), 1, 0.0f,
              r.db.data(), 1);
  return r;
}

Floats magnitudes(Floats values) {
  for (float& value : values) value = std::fabs(value);
  return values;
}

// A sum of `terms` products in float32, in any order, errs by at most chain_error(terms) times the
// sum of its terms' magnitudes. Both sides do, hence twice; the same product of magnitudes bounds
// the sum. (`terms` counts roundings: the longest path from a term to the result.)
void check_within_rounding(const char* what, const Floats& got, const Floats& reference,
                           const Floats& magnitude, std::int64_t terms) {
  CAPTURE(std::string(what));
  const double tolerance = 2.0 * chain_error(static_cast<double>(terms));
  std::size_t wrong = 0, nonzero = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double difference = std::fabs(double{got[i]} - double{reference[i]});
    wrong += !(difference <= tolerance * double{magnitude[i]});
    nonzero += reference[i] != 0.0f;
  }
  CHECK(wrong == 0);
  CHECK(nonzero > got.size() / 5);  // stride 2 skips three of four pixels of a 1x1 convolution
}

TEST_CASE("f32 conv2d and linear: forward and all gradients are OpenBLAS's within rounding") {
  openblas_set_num_threads(1);
  for (const Layer& layer : kLayers) {
    CAPTURE(std::string(layer.name));
    const Conv2dShape& s = layer.shape;
    const Operands in = {random_floats(at(s.batch * s.height * s.width * s.in), 1),
                         random_floats(at(s.out * s.taps()), 2), random_floats(at(s.out), 3),
                         random_floats(at(pixels(s) * s.out), 4)};
    const Results got = octet_results(s, in);
    const Results reference = openblas_results(s, in);
    const Results bound = openblas_results(
        s, {magnitudes(in.x), magnitudes(in.weight), magnitudes(in.bias), magnitudes(in.dy)});
    const std::int64_t window = s.kernel_h * s.kernel_w;
    check_within_rounding("y", got.y, reference.y, bound.y, s.taps() + 1);
    check_within_rounding("dx", got.dx, reference.dx, bound.dx, s.out_per_group() + window);
    check_within_rounding("dw", got.dw, reference.dw, bound.dw, pixels(s) + 1);
    check_within_rounding("db", got.db, reference.db, bound.db, pixels(s));
  }
}

}  // namespace
}  // namespace octet::kernels
