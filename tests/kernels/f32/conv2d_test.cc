#include "kernels/f32/conv2d.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "base/aligned_buffer.h"
#include "base/parallel.h"
#include "tests/guarded_buffer.h"
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
std::size_t w_size(const Conv2dShape& s) { return at(s.out * s.taps()); }
std::size_t y_size(const Conv2dShape& s) {
  return at(s.batch * s.out_height() * s.out_width() * s.out);
}

// Odd channels, kernels, strides, paddings and groups, a padding wider than the kernel, maps of one
// pixel, LeNet's layers, and enough pixels for several groups of the weight gradient.
const std::vector<Conv2dShape> kShapes = {
    {.batch = 2,
     .height = 28,
     .width = 28,
     .in = 1,
     .out = 6,
     .kernel_h = 5,
     .kernel_w = 5,
     .padding = 2},
    {.batch = 8, .height = 14, .width = 14, .in = 6, .out = 16, .kernel_h = 5, .kernel_w = 5},
    {.batch = 19, .in = 400, .out = 33},
    {.batch = 33, .in = 5, .out = 3},
    {.batch = 1, .in = 1, .out = 1},
    {.batch = 1, .in = 17, .out = 130},
    {.batch = 3,
     .height = 7,
     .width = 5,
     .in = 3,
     .out = 5,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride = 2,
     .padding = 1},
    {.batch = 2,
     .height = 9,
     .width = 8,
     .in = 5,
     .out = 17,
     .kernel_h = 3,
     .kernel_w = 1,
     .stride = 3},
    {.batch = 1,
     .height = 6,
     .width = 11,
     .in = 17,
     .out = 33,
     .kernel_h = 1,
     .kernel_w = 3,
     .padding = 1},
    {.batch = 3,
     .height = 1,
     .width = 1,
     .in = 16,
     .out = 5,
     .kernel_h = 3,
     .kernel_w = 3,
     .padding = 1},
    {.batch = 1,
     .height = 4,
     .width = 4,
     .in = 2,
     .out = 3,
     .kernel_h = 1,
     .kernel_w = 1,
     .padding = 2},
    {.batch = 1,
     .height = 3,
     .width = 3,
     .in = 1,
     .out = 2,
     .kernel_h = 2,
     .kernel_w = 2,
     .stride = 4,
     .padding = 3},
    {.batch = 2, .height = 5, .width = 5, .in = 33, .out = 16, .stride = 2},
    {.batch = 2, .height = 6, .width = 7, .in = 33, .out = 70},
    {.batch = 2,
     .height = 8,
     .width = 7,
     .in = 6,
     .out = 9,
     .kernel_h = 3,
     .kernel_w = 3,
     .padding = 1,
     .groups = 3},
    {.batch = 2,
     .height = 8,
     .width = 8,
     .in = 17,
     .out = 17,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride = 2,
     .padding = 1,
     .groups = 17},
    {.batch = 1, .height = 6, .width = 6, .in = 34, .out = 66, .groups = 2},
    {.batch = 2,
     .height = 40,
     .width = 40,
     .in = 3,
     .out = 4,
     .kernel_h = 3,
     .kernel_w = 3,
     .padding = 1},
    // Weights in three pieces, seven images, stride 2 with every length of tap list.
    {.batch = 7,
     .height = 5,
     .width = 6,
     .in = 128,
     .out = 70,
     .kernel_h = 5,
     .kernel_w = 5,
     .stride = 2,
     .padding = 3},
    {.batch = 13,
     .height = 2,
     .width = 9,
     .in = 12,
     .out = 5,
     .kernel_h = 3,
     .kernel_w = 4,
     .padding = 2},
    // Many pixels and channels, for which narrow tiles pack the weight gradient's operands: either
    // side of a pointwise convolution as the rows, strides and phases, chunks of whole images and
    // of bands, channel groups, more taps than are worked on together.
    {.batch = 40, .height = 7, .width = 6, .in = 33, .out = 70},
    {.batch = 41, .height = 6, .width = 7, .in = 150, .out = 33},
    {.batch = 40, .height = 9, .width = 8, .in = 17, .out = 34, .stride = 2, .padding = 1},
    {.batch = 60,
     .height = 5,
     .width = 5,
     .in = 18,
     .out = 37,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride = 2,
     .padding = 1},
    {.batch = 3,
     .height = 20,
     .width = 19,
     .in = 20,
     .out = 40,
     .kernel_h = 3,
     .kernel_w = 3,
     .padding = 1},
    {.batch = 30,
     .height = 11,
     .width = 10,
     .in = 36,
     .out = 72,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride = 3,
     .padding = 2,
     .groups = 2},
    {.batch = 1,
     .height = 30,
     .width = 31,
     .in = 16,
     .out = 17,
     .kernel_h = 6,
     .kernel_w = 6,
     .padding = 2},
    // Weights that exceed L2: more pixels at a time.
    {.batch = 4,
     .height = 12,
     .width = 12,
     .in = 128,
     .out = 114,
     .kernel_h = 3,
     .kernel_w = 3,
     .padding = 1},
    // Chunks of one row, whose first ones some taps do not meet, or none does.
    {.batch = 2,
     .height = 3,
     .width = 300,
     .in = 16,
     .out = 16,
     .kernel_h = 3,
     .kernel_w = 3,
     .padding = 1},
    {.batch = 2, .height = 2, .width = 300, .in = 16, .out = 16, .padding = 3},
};

std::string text(const Conv2dShape& s) {
  std::string words;
  for (const std::int64_t extent : {s.batch, s.height, s.width, s.in, s.out, s.kernel_h, s.kernel_w,
                                    s.stride, s.padding, s.groups}) {
    words += std::to_string(extent) + " ";
  }
  return words;
}

struct Inputs {
  Floats x, weight, bias, dy;
  explicit Inputs(const Conv2dShape& s)
      : x(random_floats(x_size(s), 1)),
        weight(random_floats(w_size(s), 2)),
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

Results run(const F32Kernels& kernels, const Conv2dShape& s) {
  const Inputs in(s);
  const auto x = guarded(in.x), weight = guarded(in.weight), bias = guarded(in.bias),
             dy = guarded(in.dy);
  auto y = guarded(Floats(in.dy.size())), dx = guarded(Floats(in.x.size())),
       dw = guarded(Floats(in.weight.size())), db = guarded(Floats(in.bias.size()));
  const std::size_t scratch_floats =
      std::max({conv2d_forward_scratch_floats(s), conv2d_data_gradient_scratch_floats(s, dy.data()),
                conv2d_weight_gradient_scratch_floats(s), conv2d_bias_gradient_scratch_floats(s)});
  AlignedBuffer buffer(std::max<std::size_t>(1, scratch_floats) * sizeof(float));
  float* scratch = buffer.as<float>();
  const auto dirty = [&] { std::fill_n(scratch, scratch_floats, std::nanf("")); };
  dirty();
  conv2d_forward(kernels, s, x.data(), weight.data(), bias.data(), y.data(), scratch);
  dirty();
  conv2d_data_gradient(kernels, s, dy.data(), weight.data(), dx.data(), scratch);
  dirty();
  conv2d_weight_gradient(kernels, s, x.data(), dy.data(), dw.data(), scratch);
  dirty();
  conv2d_bias_gradient(kernels, s, dy.data(), db.data(), scratch);
  dirty();
  auto dw_too = guarded(Floats(in.weight.size())), db_too = guarded(Floats(in.bias.size()));
  conv2d_weight_gradient(kernels, s, x.data(), dy.data(), dw_too.data(), scratch, db_too.data());
  CHECK(std::equal(dw.begin(), dw.end(), dw_too.begin()));
  CHECK(std::equal(db.begin(), db.end(), db_too.begin()));
  return {
      {y.begin(), y.end()}, {dx.begin(), dx.end()}, {dw.begin(), dw.end()}, {db.begin(), db.end()}};
}

// A sum and the sum of its summands' magnitudes.
struct Sum {
  double value = 0.0, magnitude = 0.0, terms = 0.0;
  void add(double term) {
    value += term;
    magnitude += std::fabs(term);
    terms += 1.0;
  }
};

// The definition, in double.
struct Reference {
  std::vector<Sum> y, dx, dw, db;

  explicit Reference(const Conv2dShape& s)
      : y(y_size(s)), dx(x_size(s)), dw(w_size(s)), db(at(s.out)) {
    const Inputs in(s);
    const std::int64_t out = s.out_per_group(), channels = s.in_per_group();
    for (std::int64_t p = 0; p < s.batch * s.out_height() * s.out_width(); ++p) {
      const std::int64_t ox = p % s.out_width(), oy = p / s.out_width() % s.out_height();
      const std::int64_t n = p / s.out_width() / s.out_height();
      for (std::int64_t o = 0; o < s.out; ++o) {
        const std::size_t to = at(p * s.out + o);
        y[to].add(double{in.bias[at(o)]});
        db[at(o)].add(double{in.dy[to]});
        for (std::int64_t t = 0; t < s.taps(); ++t) {
          const std::int64_t i = t % channels, kw = t / channels % s.kernel_w;
          const std::int64_t kh = t / channels / s.kernel_w;
          const std::int64_t iy = oy * s.stride - s.padding + kh;
          const std::int64_t ix = ox * s.stride - s.padding + kw;
          if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width) continue;
          const std::size_t from =
              at(((n * s.height + iy) * s.width + ix) * s.in + o / out * channels + i);
          const std::size_t w = at(o * s.taps() + t);
          y[to].add(double{in.x[from]} * double{in.weight[w]});
          dx[from].add(double{in.dy[to]} * double{in.weight[w]});
          dw[w].add(double{in.dy[to]} * double{in.x[from]});
        }
      }
    }
  }
};

void check_close(const Floats& got, const std::vector<Sum>& expected) {
  REQUIRE(got.size() == expected.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const Sum& sum = expected[i];
    wrong += !(std::fabs(double{got[i]} - sum.value) <= chain_error(sum.terms + 2) * sum.magnitude);
  }
  CHECK(wrong == 0);
}

TEST_CASE("f32 conv2d: forward and all gradients match the definition within rounding") {
  for (const Conv2dShape& shape : kShapes) {
    CAPTURE(text(shape));
    const Results got = run(select_f32_kernels(default_isa()), shape);
    const Reference expected(shape);
    check_close(got.y, expected.y);
    check_close(got.dx, expected.dx);
    check_close(got.dw, expected.dw);
    check_close(got.db, expected.db);
  }
}

TEST_CASE("f32 conv2d: the same bits for every instruction set and number of threads") {
  for (const Conv2dShape& shape : kShapes) {
    CAPTURE(text(shape));
    set_num_threads(1);
    const Results scalar = run(f32_kernels().front(), shape);
    for (const F32Kernels& kernels : f32_kernels()) {
      if (!cpu_supports(kernels.isa)) continue;
      CAPTURE(std::string(kernels.name));
      for (const int threads : {1, 2, 3, 5}) {
        CAPTURE(threads);
        set_num_threads(threads);
        CHECK(run(kernels, shape) == scalar);
      }
    }
  }
  set_num_threads(1);
}

TEST_CASE("f32 conv2d: without bias the chain starts at zero") {
  const Conv2dShape s = {.batch = 2, .height = 4, .width = 4, .in = 3, .out = 7};
  const Inputs in(s);
  Floats with(y_size(s)), without(y_size(s));
  const Floats zeros(at(s.out), 0.0f);
  for (const F32Kernels& kernels : f32_kernels()) {
    if (!cpu_supports(kernels.isa)) continue;
    AlignedBuffer scratch(conv2d_forward_scratch_floats(s) * sizeof(float));
    conv2d_forward(kernels, s, in.x.data(), in.weight.data(), zeros.data(), with.data(),
                   scratch.as<float>());
    conv2d_forward(kernels, s, in.x.data(), in.weight.data(), nullptr, without.data(),
                   scratch.as<float>());
    CHECK(with == without);
  }
}

}  // namespace
}  // namespace octet::kernels
