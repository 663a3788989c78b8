#include "optim/grad_norm.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/float_environment.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

// Sum of squares of [begin, end), in eight interleaved sums: fixed lanes, so that the compiler may
// use SIMD without changing the order.
double square_sum(const float* x, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> sums{};
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const double v = static_cast<double>(x[i + lane]);
      sums[static_cast<std::size_t>(lane)] += v * v;
    }
  }
  double sum = 0.0;
  for (const double lane : sums) sum += lane;
  for (; i < end; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

// Sum of squares of a tensor.
double square_sum(const Tensor& x) {
  const float* values = x.data();
  const std::int64_t count = x.numel(), chunks = (count + kChunk - 1) / kChunk;
  std::vector<double> partial(static_cast<std::size_t>(chunks));
  parallel_for(chunks, [&](std::int64_t chunk) {
    partial[static_cast<std::size_t>(chunk)] =
        square_sum(values, chunk * kChunk, std::min(count, (chunk + 1) * kChunk));
  });
  return std::accumulate(partial.begin(), partial.end(), 0.0);
}

}  // namespace

double norm_of(const Tensor& x) { return std::sqrt(square_sum(x)); }

double grad_norm(const std::vector<NamedTensor>& parameters) {
  const FloatEnvironment environment;
  double sum = 0.0;
  for (const NamedTensor& parameter : parameters) {
    const Tensor grad = parameter.tensor.grad();
    if (grad.defined()) sum += square_sum(grad);
  }
  return std::sqrt(sum);
}

float clip_factor(double norm, double max_norm) {
  OCTET_CHECK(max_norm > 0.0, "[clip_factor] expects max_norm > 0, got ", max_norm);
  return static_cast<float>(std::min(1.0, max_norm / (norm + 1e-6)));
}

}  // namespace octet
