#pragma once

#include <cstdint>

#include "kernels/f32/batch_norm_args.h"

// The batch norm kernels, written once over a vector type (gemm_tile.h says what it has; here also
// stream(p, r), a store past the caches, and stream_end(), after the last of them). Included by one
// file per instruction set, hence everything in an anonymous namespace.
//
// All of them wait for memory, so what counts is that each stream is read as it lies: one row after
// the other, with the sums of a row's lanes in the L1 cache, ran at the speed of a plain copy,
// while blocks of columns with their sums in registers took three times as long (Zen 4, 2026-11).
namespace octet::kernels {
namespace {

template <class V>
struct FullVector {
  static typename V::Reg load(const float* p) { return V::load(p); }
  static void store(float* p, typename V::Reg r) { V::store(p, r); }
};

template <class V>
struct PartVector {
  typename V::Mask mask;
  typename V::Reg load(const float* p) const { return V::load(p, mask); }
  void store(float* p, typename V::Reg r) const { V::store(p, r, mask); }
};

// Calls body.visit<kRows>(vector, lane, at) for the vectors of kRows rows of `lanes` floats, the
// first `width` lanes of each: `at` is the place of the vector's first row.
template <class V, int kRows, class Body>
void visit_rows(std::int64_t at, std::int64_t width, const Body& body) {
  std::int64_t lane = 0;
  for (; lane + V::kWidth <= width; lane += V::kWidth) {
    body.template visit<kRows>(FullVector<V>{}, lane, at + lane);
  }
  if (lane < width)
    body.template visit<kRows>(PartVector<V>{V::mask(width - lane)}, lane, at + lane);
}

// All rows in ascending order. Four at a time share the loads of a lane's parameters: where rows
// are so short that they lie together, or so long that the parameters do not stay in L1. In between
// that would mislead the prefetcher: half the speed for rows of 1 KiB.
template <class V, class Body>
void visit_all(std::int64_t count, std::int64_t lanes, const Body& body) {
  constexpr std::int64_t kShort = 64, kLong = 2048;
  const std::int64_t rows = count / lanes;
  std::int64_t i = 0;
  if (lanes <= kShort || lanes >= kLong) {
    for (; i + 4 <= rows; i += 4) visit_rows<V, 4>(i * lanes, lanes, body);
  }
  for (; i < rows; ++i) visit_rows<V, 1>(i * lanes, lanes, body);
  if (i * lanes < count) visit_rows<V, 1>(i * lanes, count - i * lanes, body);
}

template <class V>
struct Accumulate {
  std::int64_t lanes;
  const float* x;
  float* sum;

  template <int kRows, class Vector>
  void visit(Vector vector, std::int64_t lane, std::int64_t at) const {
    typename V::Reg s = vector.load(sum + lane);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) s = V::add(s, vector.load(x + at + i * lanes));
    vector.store(sum + lane, s);
  }
};

template <class V>
struct AccumulateCentred {
  std::int64_t lanes;
  const float *x, *minus_centre;
  float *sum, *squares;

  template <int kRows, class Vector>
  void visit(Vector vector, std::int64_t lane, std::int64_t at) const {
    const typename V::Reg centre = vector.load(minus_centre + lane);
    typename V::Reg s = vector.load(sum + lane), q = vector.load(squares + lane);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const typename V::Reg d = V::add(vector.load(x + at + i * lanes), centre);
      s = V::add(s, d);
      q = V::fma(d, d, q);
    }
    vector.store(sum + lane, s);
    vector.store(squares + lane, q);
  }
};

template <class V>
void batch_norm_statistics(std::int64_t count, std::int64_t lanes, const float* x, float* partial) {
  for (std::int64_t i = 0; i < 3 * lanes; ++i) partial[i] = 0.0f;
  const std::int64_t rows = count / lanes, pilot = rows < 8 ? 1 : rows / 8;
  const float factor = -1.0f / static_cast<float>(pilot);
  visit_all<V>(pilot * lanes < count ? pilot * lanes : count, lanes,
               Accumulate<V>{lanes, x, partial});
  for (std::int64_t i = 0; i < lanes; ++i) partial[i] *= factor;
  visit_all<V>(count, lanes,
               AccumulateCentred<V>{lanes, x, partial, partial + lanes, partial + 2 * lanes});
}

// Ahead of a streaming store there is no write that would make the prefetcher run on.
constexpr std::int64_t kPrefetchFloats = 1024;

template <class V, bool kShortcut, bool kRelu, bool kStream>
struct NormalizeRows {
  const BatchNormForwardArgs& args;

  template <int kRows, class Vector>
  void visit(Vector vector, std::int64_t lane, std::int64_t at) const {
    const typename V::Reg minus_mean = vector.load(args.minus_mean + lane);
    const typename V::Reg scale = vector.load(args.scale + lane);
    const typename V::Reg beta = vector.load(args.beta + lane);
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const std::int64_t k = at + i * args.lanes;
      if constexpr (kStream) __builtin_prefetch(args.x + k + kPrefetchFloats);
      typename V::Reg y = V::fma(V::add(vector.load(args.x + k), minus_mean), scale, beta);
      if constexpr (kShortcut) y = V::add(y, vector.load(args.shortcut + k));
      if constexpr (kRelu) y = V::relu(y);
      if constexpr (kStream) {
        V::stream(args.y + k, y);
      } else {
        vector.store(args.y + k, y);
      }
    }
  }
};

template <class V, bool kShortcut, bool kRelu>
void normalize_rows(const BatchNormForwardArgs& args) {
  if (args.stream) {
    visit_all<V>(args.count, args.lanes, NormalizeRows<V, kShortcut, kRelu, true>{args});
    V::stream_end();
  } else {
    visit_all<V>(args.count, args.lanes, NormalizeRows<V, kShortcut, kRelu, false>{args});
  }
}

template <class V>
void batch_norm_forward(const BatchNormForwardArgs& args) {
  const int variant = (args.shortcut != nullptr ? 2 : 0) + (args.relu ? 1 : 0);
  switch (variant) {
    case 0:
      return normalize_rows<V, false, false>(args);
    case 1:
      return normalize_rows<V, false, true>(args);
    case 2:
      return normalize_rows<V, true, false>(args);
    default:
      return normalize_rows<V, true, true>(args);
  }
}

enum class DataGradient { kNone, kConstantStatistics, kBatchStatistics };

template <class V, ReluMask kMask, bool kSums, DataGradient kDx>
struct GradientRows {
  const BatchNormBackwardArgs& args;

  template <class Vector>
  void write(Vector vector, float* to, typename V::Reg r) const {
    if (args.stream) {
      V::stream(to, r);
    } else {
      vector.store(to, r);
    }
  }

  template <int kRows, class Vector>
  void visit(Vector vector, std::int64_t lane, std::int64_t at) const {
    using Reg = typename V::Reg;
    constexpr bool kReadsX =
        kMask == ReluMask::kRecomputed || kSums || kDx == DataGradient::kBatchStatistics;
    Reg minus_mean = V::zero(), scale = minus_mean, beta = minus_mean, slope = minus_mean;
    Reg offset = minus_mean, sum = minus_mean, product = minus_mean;
    if constexpr (kReadsX) minus_mean = vector.load(args.minus_mean + lane);
    if constexpr (kMask == ReluMask::kRecomputed || kDx != DataGradient::kNone) {
      scale = vector.load(args.scale + lane);
    }
    if constexpr (kMask == ReluMask::kRecomputed) beta = vector.load(args.beta + lane);
    if constexpr (kDx == DataGradient::kBatchStatistics) {
      slope = vector.load(args.slope + lane);
      offset = vector.load(args.offset + lane);
    }
    if constexpr (kSums) {
      sum = vector.load(args.sums + lane);
      product = vector.load(args.sums + args.lanes + lane);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const std::int64_t k = at + i * args.lanes;
      Reg g = vector.load(args.dy + k), x = V::zero();
      if constexpr (kReadsX) x = V::add(vector.load(args.x + k), minus_mean);
      if constexpr (kMask == ReluMask::kRecomputed)
        g = V::where_positive(V::fma(x, scale, beta), g);
      if constexpr (kMask == ReluMask::kResult) {
        g = V::where_positive(vector.load(args.y + k), g);
        if (args.g != nullptr) write(vector, args.g + k, g);
      }
      if constexpr (kSums) {
        sum = V::add(sum, g);
        product = V::fma(g, x, product);
      }
      if constexpr (kDx == DataGradient::kBatchStatistics) {
        write(vector, args.dx + k, V::fma(scale, g, V::fma(slope, x, offset)));
      }
      if constexpr (kDx == DataGradient::kConstantStatistics) {
        write(vector, args.dx + k, V::fma(scale, g, V::zero()));
      }
    }
    if constexpr (kSums) {
      vector.store(args.sums + lane, sum);
      vector.store(args.sums + args.lanes + lane, product);
    }
  }
};

template <class V, ReluMask kMask, bool kSums>
void gradient_rows(const BatchNormBackwardArgs& args) {
  if (args.dx == nullptr) {
    visit_all<V>(args.count, args.lanes, GradientRows<V, kMask, kSums, DataGradient::kNone>{args});
  } else if (args.slope == nullptr) {
    visit_all<V>(args.count, args.lanes,
                 GradientRows<V, kMask, kSums, DataGradient::kConstantStatistics>{args});
  } else {
    visit_all<V>(args.count, args.lanes,
                 GradientRows<V, kMask, kSums, DataGradient::kBatchStatistics>{args});
  }
}

template <class V, ReluMask kMask>
void gradient_rows(const BatchNormBackwardArgs& args) {
  if (args.sums == nullptr) return gradient_rows<V, kMask, false>(args);
  for (std::int64_t i = 0; i < 2 * args.lanes; ++i) args.sums[i] = 0.0f;
  gradient_rows<V, kMask, true>(args);
}

template <class V>
void batch_norm_backward(const BatchNormBackwardArgs& args) {
  switch (args.mask) {
    case ReluMask::kNone:
      gradient_rows<V, ReluMask::kNone>(args);
      break;
    case ReluMask::kRecomputed:
      gradient_rows<V, ReluMask::kRecomputed>(args);
      break;
    case ReluMask::kResult:
      gradient_rows<V, ReluMask::kResult>(args);
      break;
  }
  if (args.stream) V::stream_end();
}

}  // namespace
}  // namespace octet::kernels
