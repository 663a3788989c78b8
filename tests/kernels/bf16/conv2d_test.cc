#include "kernels/bf16/conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/aligned_buffer.h"
#include "base/parallel.h"
#include "kernels/bf16/bf16.h"
#include "tests/guarded_buffer.h"
#include "tests/kernels/bf16/kernels_under_test.h"
#include "tests/kernels/f32/numbers.h"

namespace octet::kernels {
namespace {

using testing::chain_error;
using testing::Guard;
using testing::GuardedBuffer;
using testing::random_floats;
using Floats = std::vector<float>;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
std::size_t x_size(const Conv2dShape& s) { return at(s.batch * s.height * s.width * s.in); }
std::size_t y_size(const Conv2dShape& s) {
  return at(s.batch * s.out_height() * s.out_width() * s.out);
}

// Even and odd channels and batches, one image, one channel, one pixel, LeNet's layers, strides,
// paddings wider than the kernel, and enough pixels and channels for every way that the float32
// code cuts the work.
constexpr Conv2dShape shape(std::int64_t batch, std::int64_t height, std::int64_t width,
                            std::int64_t in, std::int64_t out, std::int64_t kernel_h,
                            std::int64_t kernel_w, std::int64_t stride, std::int64_t padding) {
  return {batch, height, width, in, out, kernel_h, kernel_w, stride, padding, 1};
}
const std::vector<Conv2dShape> kShapes = {
    shape(2, 28, 28, 1, 6, 5, 5, 1, 2),   shape(7, 14, 14, 6, 16, 5, 5, 1, 0),
    shape(19, 1, 1, 400, 33, 1, 1, 1, 0), shape(33, 1, 1, 5, 3, 1, 1, 1, 0),
    shape(1, 1, 1, 1, 1, 1, 1, 1, 0),     shape(1, 1, 1, 17, 130, 1, 1, 1, 0),
    shape(3, 7, 5, 3, 5, 3, 3, 2, 1),     shape(2, 9, 8, 5, 17, 3, 1, 3, 0),
    shape(1, 6, 11, 17, 33, 1, 3, 1, 1),  shape(3, 1, 1, 16, 5, 3, 3, 1, 1),
    shape(1, 4, 4, 2, 3, 1, 1, 1, 2),     shape(2, 5, 5, 33, 16, 1, 1, 2, 0),
    shape(2, 6, 7, 33, 70, 1, 1, 1, 0),   shape(2, 40, 40, 3, 4, 3, 3, 1, 1),
    shape(7, 5, 6, 128, 70, 5, 5, 2, 3),  shape(13, 2, 9, 12, 5, 3, 4, 1, 2),
    shape(80, 7, 6, 33, 70, 1, 1, 1, 0),  shape(81, 6, 7, 150, 33, 1, 1, 1, 0),
    shape(80, 9, 8, 17, 34, 1, 1, 2, 1),  shape(121, 5, 5, 18, 37, 3, 3, 2, 1),
    shape(6, 20, 19, 20, 40, 3, 3, 1, 1), shape(65, 12, 12, 18, 22, 1, 1, 1, 0),
    shape(49, 8, 8, 701, 1, 1, 1, 1, 0),  shape(48, 8, 8, 1, 702, 1, 1, 1, 0),
};

std::string text(const Conv2dShape& s) {
  std::string words;
  for (const std::int64_t extent :
       {s.batch, s.height, s.width, s.in, s.out, s.kernel_h, s.kernel_w, s.stride, s.padding}) {
    words += std::to_string(extent) + " ";
  }
  return words;
}

struct Inputs {
  Floats x, weight, bias, dy;
  explicit Inputs(const Conv2dShape& s)
      : x(random_floats(x_size(s), 1)),
        weight(random_floats(at(s.out * s.taps()), 2)),
        bias(random_floats(at(s.out), 3)),
        dy(random_floats(y_size(s), 4)) {}
};

struct Results {
  Floats y, dx, dw, db;
  bool operator==(const Results&) const = default;
};

// An operand that ends where readable memory ends.
GuardedBuffer<float> guarded(const Floats& values) {
  GuardedBuffer<float> buffer(values.size(), Guard::kAfter);
  std::copy(values.begin(), values.end(), buffer.begin());
  return buffer;
}

Results run(const Bf16Kernels& kernels, const Conv2dShape& s) {
  const Inputs in(s);
  const auto x = guarded(in.x), weight = guarded(in.weight), bias = guarded(in.bias),
             dy = guarded(in.dy);
  auto y = guarded(Floats(in.dy.size())), dx = guarded(Floats(in.x.size())),
       dw = guarded(Floats(in.weight.size())), db = guarded(Floats(in.bias.size()));
  const auto scratch = [](std::size_t floats) {
    AlignedBuffer buffer(std::max<std::size_t>(1, floats) * sizeof(float));
    std::fill_n(buffer.as<float>(), floats, std::nanf(""));
    return buffer;
  };
  AlignedBuffer forward = scratch(bf16_conv2d_forward_scratch_floats(s));
  bf16_conv2d_forward(kernels, s, x.data(), weight.data(), bias.data(), y.data(),
                      forward.as<float>());
  AlignedBuffer data = scratch(bf16_conv2d_data_gradient_scratch_floats(s, dy.data()));
  bf16_conv2d_data_gradient(kernels, s, dy.data(), weight.data(), dx.data(), data.as<float>());
  AlignedBuffer weights = scratch(bf16_conv2d_weight_gradient_scratch_floats(s));
  bf16_conv2d_weight_gradient(kernels, s, x.data(), dy.data(), dw.data(), weights.as<float>(),
                              db.data());
  return {
      {y.begin(), y.end()}, {dx.begin(), dx.end()}, {dw.begin(), dw.end()}, {db.begin(), db.end()}};
}

struct Sum {
  double value = 0.0, magnitude = 0.0, terms = 0.0;
  void add(double term) {
    value += term;
    magnitude += std::fabs(term);
    terms += 1.0;
  }
};

Floats rounded(Floats values) {
  for (float& value : values) value = from_bf16(to_bf16(value));
  return values;
}

// The definition, in double. `round`: of operands rounded to bfloat16; bias and the bias' gradient
// are not operands.
struct Reference {
  std::vector<Sum> y, dx, dw, db;

  Reference(const Conv2dShape& s, bool round)
      : y(y_size(s)), dx(x_size(s)), dw(at(s.out * s.taps())), db(at(s.out)) {
    const Inputs in(s);
    const Floats x = round ? rounded(in.x) : in.x, w = round ? rounded(in.weight) : in.weight;
    const Floats g = round ? rounded(in.dy) : in.dy;
    for (std::int64_t p = 0; p < s.batch * s.out_height() * s.out_width(); ++p) {
      const std::int64_t ox = p % s.out_width(), oy = p / s.out_width() % s.out_height();
      const std::int64_t n = p / s.out_width() / s.out_height();
      for (std::int64_t o = 0; o < s.out; ++o) {
        const std::size_t to = at(p * s.out + o);
        y[to].add(double{in.bias[at(o)]});
        db[at(o)].add(double{in.dy[to]});
        for (std::int64_t t = 0; t < s.taps(); ++t) {
          const std::int64_t i = t % s.in, kw = t / s.in % s.kernel_w, kh = t / s.in / s.kernel_w;
          const std::int64_t iy = oy * s.stride - s.padding + kh;
          const std::int64_t ix = ox * s.stride - s.padding + kw;
          if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width) continue;
          const std::size_t from = at(((n * s.height + iy) * s.width + ix) * s.in + i);
          const std::size_t weight = at(o * s.taps() + t);
          y[to].add(double{x[from]} * double{w[weight]});
          dx[from].add(double{g[to]} * double{w[weight]});
          dw[weight].add(double{g[to]} * double{x[from]});
        }
      }
    }
  }
};

// `operands`: what rounding the operands adds to the relative error of each term.
void check_close(const Floats& got, const std::vector<Sum>& expected, double operands) {
  REQUIRE(got.size() == expected.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Sum& sum = expected[i];
    const double error = (chain_error(sum.terms + 2) + operands) * sum.magnitude;
    wrong += !(std::fabs(double{got[i]} - sum.value) <= error);
  }
  CHECK(wrong == 0);
}

TEST_CASE(
    "bf16 conv2d: the definition of rounded operands, and of float32 ones within bf16's error") {
  // Rounding to 8 bits changes an operand by at most u = 2^-8 of it, so a product by (1 + u)^2 - 1,
  // and a sum of products by so much of the sum of magnitudes, beside the chain's own error.
  const double u = std::ldexp(1.0, -8), product = (1 + u) * (1 + u) - 1;
  for (const Conv2dShape& s : kShapes) {
    CAPTURE(text(s));
    const Results got = run(select_bf16_kernels(default_isa()), s);
    for (const bool round : {true, false}) {
      CAPTURE(round);
      const Reference expected(s, round);
      check_close(got.y, expected.y, round ? 0.0 : 1.01 * product);
      check_close(got.dx, expected.dx, round ? 0.0 : 1.01 * product);
      check_close(got.dw, expected.dw, round ? 0.0 : 1.01 * product);
      check_close(got.db, expected.db, 0.0);
    }
  }
}

TEST_CASE("bf16 conv2d: the same bits for every kernel and number of threads") {
  for (const Conv2dShape& s : kShapes) {
    CAPTURE(text(s));
    set_num_threads(1);
    const Results scalar = run(bf16_kernels().front(), s);
    for (const Bf16Kernels& kernels : bf16_kernels_under_test()) {
      CAPTURE(std::string(kernels.name));
      for (const int threads : {1, 2, 5}) {
        CAPTURE(threads);
        set_num_threads(threads);
        CHECK(run(kernels, s) == scalar);
      }
    }
  }
  set_num_threads(1);
}

}  // namespace
}  // namespace octet::kernels
