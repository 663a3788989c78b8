#include "ops/pool.h"

#include <algorithm>
#include <limits>

#include "tests/testing.h"

namespace octet {
namespace {

using namespace testing;

struct PoolCase {
  Shape shape;
  Pool2dOptions options;
};
const std::vector<PoolCase> kPoolCases = {
    {{2, 4, 6, 1}, {.kernel = 2, .stride = 2}},
    {{2, 4, 6, 3}, {.kernel = 2, .stride = 2}},
    {{1, 5, 7, 6}, {.kernel = 2, .stride = 2}},  // a row and a column left over
    {{2, 6, 5, 5}, {.kernel = 3, .stride = 2, .padding = 1}},
    {{1, 4, 4, 9}, {.kernel = 3, .stride = 1, .padding = 1}},  // windows overlap
    {{1, 7, 7, 4}, {.kernel = 2, .stride = 3}},                // cells between windows
    {{1, 3, 3, 2}, {.kernel = 3, .stride = 1}},                // one window
    {{1, 1, 1, 4}, {.kernel = 2, .stride = 1, .padding = 1}},  // windows with one cell inside
};

// By the definition: one window at a time, padding as `outside`.
Tensor reference(const Tensor& x, Pool2dOptions o, bool average) {
  const std::int64_t h = x.dim(1), w = x.dim(2), channels = x.dim(3);
  const std::int64_t oh = (h + 2 * o.padding - o.kernel) / o.stride + 1;
  const std::int64_t ow = (w + 2 * o.padding - o.kernel) / o.stride + 1;
  std::vector<float> y;
  for (std::int64_t n = 0; n < x.dim(0); ++n) {
    for (std::int64_t oy = 0; oy < oh; ++oy) {
      for (std::int64_t ox = 0; ox < ow; ++ox) {
        for (std::int64_t c = 0; c < channels; ++c) {
          float sum = 0.0f, largest = -std::numeric_limits<float>::infinity();
          for (std::int64_t ky = 0; ky < o.kernel; ++ky) {
            for (std::int64_t kx = 0; kx < o.kernel; ++kx) {
              const std::int64_t iy = oy * o.stride - o.padding + ky;
              const std::int64_t ix = ox * o.stride - o.padding + kx;
              if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
              const float v = x.data()[((n * h + iy) * w + ix) * channels + c];
              sum += v;
              largest = std::max(largest, v);
            }
          }
          y.push_back(average ? sum / static_cast<float>(o.kernel * o.kernel) : largest);
        }
      }
    }
  }
  return Tensor::from(y, {x.dim(0), oh, ow, channels});
}

TEST_CASE("pools equal their definition and their gradients match finite differences") {
  for (const PoolCase& c : kPoolCases) {
    CAPTURE(c.shape);
    CAPTURE(c.options.kernel);
    CAPTURE(c.options.stride);
    const Tensor x = permutation(c.shape, 1, 0.5f);
    CHECK_SAME_BITS(max_pool2d(x, c.options), reference(x, c.options, false));
    CHECK_SAME_BITS(avg_pool2d(x, c.options), reference(x, c.options, true));
    CHECK(gradcheck([&](const auto& in) { return max_pool2d(in[0], c.options); }, {x},
                    {.eps = 0.125, .tol = 1e-4}));
    CHECK(gradcheck([&](const auto& in) { return avg_pool2d(in[0], c.options); }, {x},
                    {.eps = 0.5, .tol = 1e-4}));
  }
}

TEST_CASE("max_pool2d: the gradient goes to the first of equal elements, windows add up") {
  // 3 x 3 map, 2 x 2 windows at stride 1, all elements equal; one and five channels (both loops).
  for (const std::int64_t channels : {1, 5}) {
    CAPTURE(channels);
    Tensor x = Tensor::full({1, 3, 3, channels}, 7.0f).set_requires_grad(true);
    const Tensor y = max_pool2d(x, {.kernel = 2, .stride = 1});
    backward(weighted_sum(y, Tensor::full(y.shape(), 1.0f)));
    const std::vector<float> expected = {1, 1, 0, 1, 1, 0, 0, 0, 0};
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      CHECK(x.grad().data()[i] == expected[static_cast<std::size_t>(i / channels)]);
    }
  }
}

TEST_CASE("max_pool2d: negative maps with padding, and NaN") {
  CHECK(max_pool2d(Tensor::full({1, 1, 1, 1}, -3.0f), {.kernel = 2, .stride = 1, .padding = 1})
            .data()[0] == -3.0f);
  for (const std::int64_t channels : {1, 4}) {
    Tensor x = Tensor::full({1, 2, 2, channels}, 1.0f);
    x.mutable_data()[channels] = std::nanf("");
    CHECK(std::isnan(max_pool2d(x, {}).data()[0]));
  }
}

TEST_CASE("avg_pool2d: padding counts as zeros") {
  const Tensor y =
      avg_pool2d(Tensor::full({1, 2, 2, 1}, 9.0f), {.kernel = 3, .stride = 1, .padding = 1});
  CHECK_SAME_BITS(y, Tensor::full({1, 2, 2, 1}, 4.0f));
}

TEST_CASE("global_avg_pool2d: values and gradient") {
  const Tensor x = Tensor::from({1, 10, 2, 20, 3, 30, 6, 60}, {1, 2, 2, 2});
  CHECK_SAME_BITS(global_avg_pool2d(x), Tensor::from({3, 30}, {1, 1, 1, 2}));
  CHECK(gradcheck([](const auto& in) { return global_avg_pool2d(in[0]); }, {randn({2, 3, 5, 3}, 2)},
                  {.eps = 0.5, .tol = 1e-4}));
}

TEST_CASE("pools: the same bits for every number of threads, forward and backward") {
  const Tensor x = randn({5, 9, 8, 6}, 3);
  const Pool2dOptions options{.kernel = 3, .stride = 2, .padding = 1};
  const std::vector<TensorFunction> pools = {
      [&](const auto& in) { return max_pool2d(in[0], options); },
      [&](const auto& in) { return avg_pool2d(in[0], options); },
      [&](const auto& in) { return global_avg_pool2d(in[0]); }};
  for (const TensorFunction& pool : pools) {
    const Tensor y = pool({x}), grad = gradients(pool, {x}).of_inputs[0];
    for_each_threads([&](int) {
      CHECK_SAME_BITS(pool({x}), y);
      CHECK_SAME_BITS(gradients(pool, {x}).of_inputs[0], grad);
    });
  }
}

TEST_CASE("max_pool2d passes codes and their qparams on, the averages refuse them") {
  Tensor codes = Tensor::from({1, 200, 3, 4}, {1, 2, 2, 1});
  codes.set_qparams(QParams{.scale = 0.5f, .zero_point = 3});
  const Tensor y = max_pool2d(codes, {});
  CHECK(y.item() == 200.0f);
  CHECK(y.qparams() == codes.qparams());
  CHECK_THROWS_AS(avg_pool2d(codes, {}), Error);
  CHECK_THROWS_AS(global_avg_pool2d(codes), Error);
}

TEST_CASE("pools: bad shapes and options") {
  const Tensor x = Tensor::zeros({1, 4, 4, 2});
  CHECK_THROWS_WITH_AS(max_pool2d(Tensor::zeros({4, 4, 2}), {}),
                       "[max_pool2d] expects F32 images [N, H, W, C], got F32 [4, 4, 2]", Error);
  CHECK_THROWS_AS(max_pool2d(x, {.kernel = 5, .stride = 1}), Error);
  CHECK_THROWS_AS(max_pool2d(x, {.kernel = 2, .stride = 0}), Error);
  CHECK_THROWS_AS(max_pool2d(x, {.kernel = 3, .stride = 1, .padding = 2}), Error);
  CHECK_THROWS_AS(max_pool2d(Tensor::zeros({1, 40, 40, 1}), {.kernel = 17}), Error);
  CHECK_THROWS_AS(avg_pool2d(x, {.kernel = 0}), Error);
  CHECK_THROWS_AS(avg_pool2d(Tensor(), {}), Error);
  CHECK_THROWS_AS(global_avg_pool2d(Tensor::zeros({2, 3})), Error);
}

}  // namespace
}  // namespace octet
