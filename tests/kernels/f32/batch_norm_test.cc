#include "kernels/f32/batch_norm.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tests/guarded_buffer.h"
#include "tests/kernels/f32/numbers.h"

namespace octet::kernels {
namespace {

using testing::Guard;
using testing::GuardedBuffer;
using testing::random_floats;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

struct Case {
  std::int64_t count, lanes;
};

// Whole vectors and not, one row and part of it, fewer floats than lanes; rows taken four at a time
// (64 lanes and fewer, 2048 and more) and one by one.
const std::vector<Case> kCases = {{64, 64},
                                  {640, 64},
                                  {711, 64},
                                  {50, 64},
                                  {70 * 9, 70},
                                  {70 * 9 + 3, 70},
                                  {96 * 128, 96},
                                  {33 * 8, 33},
                                  {5000, 1000},
                                  {2048 * 6, 2048},
                                  {2051 * 7 + 80, 2051}};

GuardedBuffer<float> guarded(std::int64_t count, std::uint64_t seed) {
  GuardedBuffer<float> buffer(at(count), Guard::kAfter);
  const std::vector<float> values = random_floats(at(count), seed);
  std::copy(values.begin(), values.end(), buffer.begin());
  return buffer;
}

std::int64_t differences(const GuardedBuffer<float>& got, const std::vector<float>& expected) {
  REQUIRE(got.size() == expected.size());
  std::int64_t differ = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) differ += got[i] != expected[i];
  return differ;
}

float relu(float z) { return 0.0f > z ? 0.0f : z; }

// 64-byte aligned, as streaming stores want it.
struct Aligned {
  std::vector<float> memory;
  float* data;
  explicit Aligned(std::int64_t count) : memory(at(count + 16)) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    data = memory.data() + (64 - address % 64) % 64 / sizeof(float);
  }
};

TEST_CASE("f32 batch norm statistics: every kernel gives the chains, bit by bit") {
  for (const Case& c : kCases) {
    CAPTURE(c.count);
    CAPTURE(c.lanes);
    const auto x = guarded(c.count, 1);
    std::vector<float> expected(at(3 * c.lanes));
    const std::int64_t rows = c.count / c.lanes, pilot = std::max<std::int64_t>(1, rows / 8);
    for (std::int64_t i = 0; i < std::min(c.count, pilot * c.lanes); ++i) {
      expected[at(i % c.lanes)] += x[at(i)];
    }
    for (std::int64_t j = 0; j < c.lanes; ++j) {
      expected[at(j)] *= -1.0f / static_cast<float>(pilot);
    }
    for (std::int64_t i = 0; i < c.count; ++i) {
      const std::int64_t lane = i % c.lanes;
      const float d = x[at(i)] + expected[at(lane)];
      expected[at(c.lanes + lane)] += d;
      expected[at(2 * c.lanes + lane)] = std::fma(d, d, expected[at(2 * c.lanes + lane)]);
    }
    for (const F32Kernels& kernels : f32_kernels()) {
      if (!cpu_supports(kernels.isa)) continue;
      CAPTURE(std::string(kernels.name));
      auto partial = guarded(3 * c.lanes, 9);
      kernels.batch_norm_statistics(c.count, c.lanes, x.data(), partial.data());
      CHECK(differences(partial, expected) == 0);
    }
  }
}

TEST_CASE("f32 batch norm forward: every kernel, with and without shortcut and ReLU") {
  for (const Case& c : kCases) {
    const auto x = guarded(c.count, 1), shortcut = guarded(c.count, 2);
    const auto mean = guarded(c.lanes, 3), scale = guarded(c.lanes, 4), beta = guarded(c.lanes, 5);
    for (const int variant : {0, 1, 2, 3}) {
      CAPTURE(c.count);
      CAPTURE(c.lanes);
      CAPTURE(variant);
      BatchNormForwardArgs args{.count = c.count,
                                .lanes = c.lanes,
                                .x = x.data(),
                                .shortcut = variant & 1 ? shortcut.data() : nullptr,
                                .minus_mean = mean.data(),
                                .scale = scale.data(),
                                .beta = beta.data(),
                                .relu = (variant & 2) != 0};
      std::vector<float> expected(at(c.count));
      for (std::int64_t i = 0; i < c.count; ++i) {
        const std::size_t lane = at(i % c.lanes);
        float y = std::fma(x[at(i)] + mean[lane], scale[lane], beta[lane]);
        if (variant & 1) y += shortcut[at(i)];
        expected[at(i)] = variant & 2 ? relu(y) : y;
      }
      for (const F32Kernels& kernels : f32_kernels()) {
        if (!cpu_supports(kernels.isa)) continue;
        CAPTURE(std::string(kernels.name));
        auto y = guarded(c.count, 9);
        args.y = y.data();
        args.stream = false;
        kernels.batch_norm_forward(args);
        CHECK(differences(y, expected) == 0);
        if (c.lanes % 16 != 0 || c.count % c.lanes != 0) continue;
        const Aligned streamed(c.count);
        args.y = streamed.data;
        args.stream = true;
        kernels.batch_norm_forward(args);
        CHECK(std::equal(expected.begin(), expected.end(), streamed.data));
      }
    }
  }
}

struct Backward {
  std::vector<float> sums, g, dx;
};

Backward expected_backward(const BatchNormBackwardArgs& a) {
  Backward e{std::vector<float>(at(2 * a.lanes)), std::vector<float>(at(a.count)),
             std::vector<float>(at(a.count))};
  for (std::int64_t i = 0; i < a.count; ++i) {
    const std::int64_t lane = i % a.lanes;
    const float d = a.x[i] + a.minus_mean[lane];
    const bool passed = a.mask == ReluMask::kNone ? true
                        : a.mask == ReluMask::kRecomputed
                            ? std::fma(d, a.scale[lane], a.beta[lane]) > 0
                            : a.y[i] > 0;
    const float g = passed ? a.dy[i] : 0.0f;
    e.g[at(i)] = g;
    e.sums[at(lane)] += g;
    e.sums[at(a.lanes + lane)] = std::fma(g, d, e.sums[at(a.lanes + lane)]);
    e.dx[at(i)] = std::fma(a.scale[lane], g,
                           a.slope == nullptr ? 0.0f : std::fma(a.slope[lane], d, a.offset[lane]));
  }
  return e;
}

TEST_CASE("f32 batch norm backward: every kernel, every mask and set of results") {
  for (const Case& c : kCases) {
    const auto x = guarded(c.count, 1), dy = guarded(c.count, 2), y = guarded(c.count, 6);
    const auto mean = guarded(c.lanes, 3), scale = guarded(c.lanes, 4), beta = guarded(c.lanes, 5);
    const auto slope = guarded(c.lanes, 7), offset = guarded(c.lanes, 8);
    for (const ReluMask mask : {ReluMask::kNone, ReluMask::kRecomputed, ReluMask::kResult}) {
      for (int variant = 0; variant < 16; ++variant) {
        const bool with_sums = variant & 1, with_dx = variant & 2, constant = variant & 4;
        const bool with_g = (variant & 8) != 0 && mask == ReluMask::kResult;
        CAPTURE(c.count);
        CAPTURE(c.lanes);
        CAPTURE(static_cast<int>(mask));
        CAPTURE(variant);
        BatchNormBackwardArgs args{.count = c.count,
                                   .lanes = c.lanes,
                                   .mask = mask,
                                   .x = x.data(),
                                   .dy = dy.data(),
                                   .y = mask == ReluMask::kResult ? y.data() : nullptr,
                                   .minus_mean = mean.data(),
                                   .scale = scale.data(),
                                   .beta = beta.data(),
                                   .slope = constant ? nullptr : slope.data(),
                                   .offset = constant ? nullptr : offset.data()};
        const Backward expected = expected_backward(args);
        for (const F32Kernels& kernels : f32_kernels()) {
          if (!cpu_supports(kernels.isa)) continue;
          CAPTURE(std::string(kernels.name));
          auto sums = guarded(2 * c.lanes, 9), g = guarded(c.count, 9), dx = guarded(c.count, 9);
          args.sums = with_sums ? sums.data() : nullptr;
          args.g = with_g ? g.data() : nullptr;
          args.dx = with_dx ? dx.data() : nullptr;
          args.stream = false;
          kernels.batch_norm_backward(args);
          if (with_sums) CHECK(differences(sums, expected.sums) == 0);
          if (with_g) CHECK(differences(g, expected.g) == 0);
          if (with_dx) CHECK(differences(dx, expected.dx) == 0);
          if (c.lanes % 16 != 0 || c.count % c.lanes != 0) continue;
          const Aligned streamed_g(c.count), streamed_dx(c.count);
          if (with_g) args.g = streamed_g.data;
          if (with_dx) args.dx = streamed_dx.data;
          args.stream = true;
          kernels.batch_norm_backward(args);
          if (with_g) CHECK(std::equal(expected.g.begin(), expected.g.end(), streamed_g.data));
          if (with_dx) CHECK(std::equal(expected.dx.begin(), expected.dx.end(), streamed_dx.data));
        }
      }
    }
  }
}

TEST_CASE("batch norm shape: narrow matrices are folded to whole vectors") {
  const auto shape = [](std::int64_t channels) { return BatchNormShape{1000, channels}; };
  CHECK(shape(1).lanes() == 64);
  CHECK(shape(6).lanes() == 96);
  CHECK(shape(16).lanes() == 64);
  CHECK(shape(63).lanes() == 1008);
  for (const std::int64_t wide : {64, 65, 256, 2048}) CHECK(shape(wide).lanes() == wide);
  CHECK(shape(6).chunk_rows() == 2048);
  CHECK(shape(64).chunk_rows() == 128);
  CHECK(shape(64).chunks() == 8);
}

// Largest relative error of the variance, and of the mean in deviations, against double.
struct Errors {
  double mean = 0.0, var = 0.0;
};

Errors statistics_errors(BatchNormShape shape, const std::vector<float>& x) {
  const std::int64_t channels = shape.channels;
  std::vector<float> mean(at(channels)), var(at(channels));
  std::vector<float> scratch(at(shape.chunks() * shape.partial_floats()));
  batch_norm_statistics(select_f32_kernels(process_isa()), shape, x.data(), mean.data(), var.data(),
                        scratch.data());
  Errors worst;
  for (std::int64_t c = 0; c < channels; ++c) {
    double exact_mean = 0.0, exact_var = 0.0;
    for (std::int64_t i = 0; i < shape.rows; ++i) exact_mean += double{x[at(i * channels + c)]};
    exact_mean /= static_cast<double>(shape.rows);
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      exact_var += std::pow(double{x[at(i * channels + c)]} - exact_mean, 2);
    }
    exact_var /= static_cast<double>(shape.rows);
    // The mean is rounded to float, whatever happens before.
    const double slack = std::ldexp(std::fabs(exact_mean), -24);
    worst.mean = std::max(
        worst.mean, (std::fabs(double{mean[at(c)]} - exact_mean) - slack) / std::sqrt(exact_var));
    worst.var = std::max(worst.var, std::fabs(double{var[at(c)]} - exact_var) / exact_var);
  }
  return worst;
}

TEST_CASE("batch norm statistics: accurate for every shape, large means and outliers") {
  struct {
    std::int64_t rows, channels;
  } const shapes[] = {{2, 1},    {2, 6},    {3, 100},  {127, 16},
                      {128, 64}, {129, 65}, {5000, 6}, {1500, 20}};
  for (const auto& s : shapes) {
    const BatchNormShape shape{s.rows, s.channels};
    CAPTURE(s.rows);
    CAPTURE(s.channels);
    const std::vector<float> normal = random_floats(at(s.rows * s.channels), 1);
    // Chains of at most 128 steps whose squares are at most 9 times those about the mean.
    const double bound = 9.0 * testing::chain_error(130);
    const Errors plain = statistics_errors(shape, normal);
    CHECK(plain.mean < bound);
    CHECK(plain.var < bound);

    std::vector<float> shifted = normal;  // the deviation is 2^-12 of the mean
    for (float& v : shifted) v += 4096.0f;
    const Errors large_mean = statistics_errors(shape, shifted);
    CHECK(large_mean.mean < bound);
    CHECK(large_mean.var < bound);

    std::vector<float> outlier = normal;  // the worst for a centre that sees the first rows only
    for (std::int64_t c = 0; c < s.channels; ++c) outlier[at(c)] = 1e6f;
    const Errors spike = statistics_errors(shape, outlier);
    CHECK(spike.mean < bound);
    CHECK(spike.var < bound);
  }
}

TEST_CASE("batch norm statistics: a constant has variance 0, a NaN shows") {
  const BatchNormShape shape{300, 3};
  std::vector<float> x(900, 0.1f), scratch(at(shape.chunks() * shape.partial_floats()));
  float mean[3], var[3];
  const auto run = [&] {
    batch_norm_statistics(select_f32_kernels(process_isa()), shape, x.data(), mean, var,
                          scratch.data());
  };
  run();
  for (int c = 0; c < 3; ++c) {
    CHECK(mean[c] == doctest::Approx(0.1f).epsilon(1e-6));
    CHECK(var[c] >= 0.0f);
    CHECK(var[c] < 1e-14f);
  }
  x[1] = NAN;
  run();
  CHECK(std::isnan(mean[1]));
  CHECK(std::isnan(var[1]));
  CHECK(!std::isnan(var[0]));
}

TEST_CASE("batch norm: what is too large for the caches and streamed has the same bits") {
  const BatchNormShape shape{1 << 16, 64};
  const std::int64_t count = shape.rows * shape.channels;
  std::vector<float> x(at(count)), dy(at(count));
  const std::vector<float> some = random_floats(1009, 1);  // a prime: no row is like the next
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = some[i % some.size()];
    dy[i] = some[(i + 100) % some.size()];
  }
  const std::vector<float> parameters = random_floats(3 * 64, 2), inv_std(64, 0.5f);
  std::vector<float> scratch(batch_norm_backward_scratch_floats(shape));
  std::vector<float> dgamma(64), dbeta(64);
  const F32Kernels& kernels = select_f32_kernels(process_isa());
  const auto run = [&](std::int64_t offset) {  // streams where its results are 64-byte aligned
    const Aligned y(count + offset), dx(count + offset), dshortcut(count + offset);
    batch_norm_forward(kernels, shape, parameters.data(), x.data(), dy.data(), true,
                       y.data + offset);
    batch_norm_backward(kernels, shape,
                        {.parameters = parameters.data(),
                         .inv_std = inv_std.data(),
                         .relu = true,
                         .x = x.data(),
                         .dy = dy.data(),
                         .y = y.data + offset,
                         .dgamma = dgamma.data(),
                         .dbeta = dbeta.data(),
                         .dx = dx.data + offset,
                         .dshortcut = dshortcut.data + offset},
                        scratch.data());
    std::vector<float> all;
    for (const Aligned* result : {&y, &dx, &dshortcut}) {
      all.insert(all.end(), result->data + offset, result->data + offset + count);
    }
    return all;
  };
  const std::vector<float> streamed = run(0), dgamma_streamed = dgamma;
  CHECK(streamed == run(1));
  CHECK(dgamma == dgamma_streamed);
}

}  // namespace
}  // namespace octet::kernels
