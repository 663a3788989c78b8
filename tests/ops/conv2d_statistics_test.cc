#include "base/cpu.h"
#include "kernels/f32/batch_norm.h"
#include "ops/autocast.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "tests/testing.h"

// Batch norm's statistics out of the convolution give the bits of a pass of their own.
namespace octet {
namespace {

using namespace testing;

struct StatisticsCase {
  Shape x, weight;
  Conv2dOptions options = {};
};

// From lines with and without padding, by tap lists, pointwise, images of one pixel; chunks of 128
// rows of 64 channels and more, of more rows of fewer, that end inside an image, a band or a block,
// that several images share, and a single one that is not full; no tap at all at the border;
// groups.
const std::vector<StatisticsCase> kStatisticsCases = {
    {{3, 32, 32, 3}, {64, 3, 3, 3}, {.padding = 1}},
    {{5, 15, 17, 3}, {20, 3, 3, 3}, {.padding = 1}},
    {{9, 12, 13, 2}, {7, 5, 5, 2}},
    {{7, 16, 16, 20}, {70, 3, 3, 20}, {.padding = 1}},
    {{13, 9, 11, 40}, {33, 3, 3, 40}, {.stride = 2, .padding = 1}},
    {{37, 4, 4, 33}, {128, 3, 3, 33}, {.padding = 1}},
    {{5, 16, 16, 64}, {256, 1, 1, 64}},
    {{20, 13, 7, 33}, {17, 1, 1, 33}},
    {{11, 8, 8, 40}, {65, 1, 1, 40}, {.stride = 2}},
    {{3, 10, 10, 24}, {30, 1, 1, 24}, {.padding = 2}},
    {{500, 1, 1, 65}, {96, 1, 1, 65}},
    {{1, 1, 2, 3}, {5, 1, 1, 3}},
    {{14, 9, 9, 24}, {72, 3, 3, 8}, {.padding = 1, .groups = 3}},
    {{40, 14, 14, 17}, {17, 3, 3, 1}, {.padding = 1, .groups = 17}},
};

Tensor separate_statistics(const Tensor& y) {
  const std::int64_t channels = y.dim(3);
  const kernels::BatchNormShape shape{y.numel() / channels, channels};
  Tensor partials = Tensor::empty({shape.chunks(), 3, shape.lanes()});
  for (std::int64_t chunk = 0; chunk < shape.chunks(); ++chunk) {
    kernels::batch_norm_chunk_statistics(kernels::select_f32_kernels(process_isa()), shape,
                                         y.data(), chunk, partials.mutable_data());
  }
  return partials;
}

TEST_CASE("conv2d with statistics: the bits of conv2d and of a pass of their own") {
  for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
    const AutocastGuard autocast(precision);
    for (const StatisticsCase& c : kStatisticsCases) {
      CAPTURE(static_cast<int>(precision));
      CAPTURE(c.x);
      CAPTURE(c.weight);
      const Tensor x = randn(c.x, 1), weight = randn(c.weight, 2);
      const Tensor y = conv2d(x, weight, {}, c.options), statistics = separate_statistics(y);
      for_each_isa([&](Isa) {
        for_each_threads([&](int) {
          const ConvolutionResult got = conv2d_with_statistics(x, weight, c.options);
          CHECK_SAME_BITS(got.y, y);
          CHECK_SAME_BITS(got.statistics, statistics);
        });
      });
    }
  }
}

TEST_CASE("batch_norm: the same with the statistics of the convolution, backward too") {
  struct Running {
    Tensor mean, var;
    explicit Running(std::int64_t channels)
        : mean(Tensor::full({channels}, 0.25f)), var(Tensor::full({channels}, 1.5f)) {}
  };
  for (const StatisticsCase& c : kStatisticsCases) {
    CAPTURE(c.x);
    CAPTURE(c.weight);
    const std::int64_t out = c.weight[0];
    const std::vector<Tensor> in = {randn(c.x, 1), randn(c.weight, 2), randn({out}, 3),
                                    randn({out}, 4)};
    const auto together = [&](Running running) {
      return [&, running](const std::vector<Tensor>& t) {
        const ConvolutionResult conv = conv2d_with_statistics(t[0], t[1], c.options);
        return batch_norm(conv.y, t[2], t[3], running.mean, running.var, {}, {}, conv.statistics);
      };
    };
    const auto separate = [&](Running running) {
      return [&, running](const std::vector<Tensor>& t) {
        const Tensor y = conv2d(t[0], t[1], {}, c.options);
        return batch_norm(y, t[2], t[3], running.mean, running.var, {});
      };
    };
    const Running a(out), b(out);
    CHECK_SAME_BITS(together(a)(in), separate(b)(in));
    CHECK_SAME_BITS(a.mean, b.mean);
    CHECK_SAME_BITS(a.var, b.var);
    const std::vector<Tensor> got = gradients(together(a), in).of_inputs;
    const std::vector<Tensor> expected = gradients(separate(b), in).of_inputs;
    for (std::size_t i = 0; i < got.size(); ++i) CHECK_SAME_BITS(got[i], expected[i]);
  }
}

TEST_CASE("batch_norm: statistics that do not fit, or are not the batch's, are an error") {
  const Tensor x = randn({300, 70}, 1), ones = Tensor::full({70}, 1.0f);
  Tensor mean = Tensor::zeros({70}), var = Tensor::full({70}, 1.0f);
  const auto normalize = [&](BatchNormOptions options, const Tensor& statistics) {
    return batch_norm(x, ones, ones, mean, var, options, {}, statistics);
  };
  CHECK_THROWS_WITH_AS(normalize({}, Tensor::zeros({2, 3, 70})), doctest::Contains("[3, 3, 70]"),
                       Error);
  CHECK_THROWS_WITH_AS(
      normalize({.statistics = BatchNormStatistics::kRunning}, Tensor::zeros({3, 3, 70})),
      doctest::Contains("running"), Error);
}

}  // namespace
}  // namespace octet
