#pragma once

#include <cstdint>

#include "kernels/f32/batch_norm_args.h"

// The batch norm kernels, written once over a vector type (gemm_tile.h says what it has; here also
// stream(p, r), a store past the caches, and stream_end(), after the last of them). Included by one
// file per instruction set, hence everything in an anonymous namespace.
//
// All of them wait for memory. What led there (Zen 4, 2026-11; docs/decisions.md): rows in their
// order, two at a time, so that both share the lane's parameters and sums, which lie in L1; and
// prefetching in the order of the addresses, because two rows at once make the machine's own
// prefetcher lose its way (a third of the rate where a row has 1 KiB).
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

constexpr int kRowsTogether = 2;

// Asks for what will be needed 4 KiB on, or 16 KiB where the parameters of long rows fill L1.
class Prefetch {
 public:
  explicit Prefetch(std::int64_t lanes) : near_(lanes <= 256) {}
  void operator()(const float* p) const {
    if (near_) {
      __builtin_prefetch(p + 1024, 0, 3);
    } else {
      __builtin_prefetch(p + 4096, 0, 2);
    }
    asm volatile("");  // GCC would give the prefetches a loop of their own, before the work
  }

 private:
  bool near_;
};

// A Body handles one vector of lanes in one or two rows:
//   state = begin(vector, lane)   loads the lane's parameters and sums
//   prefetch(at)                  asks for what follows element `at` of the inputs
//   row(vector, at, state)        takes one row's vector, at element `at`
//   end(vector, lane, state)      stores the sums

// The vector at `lane` of kRows rows from element `row` on.
template <class V, int kRows, class Vector, class Body>
void visit_vector(Vector vector, std::int64_t row, std::int64_t lanes, std::int64_t lane,
                  const Body& body) {
  auto state = body.begin(vector, lane);
#pragma GCC unroll 2
  for (int i = 0; i < kRows; ++i) {
    if constexpr (V::kWidth > 1) body.prefetch(row + lane * kRows + i * V::kWidth);
    body.row(vector, row + lane + i * lanes, state);
  }
  body.end(vector, lane, state);
}

// The first `width` lanes of kRows rows.
template <class V, int kRows, class Body>
void visit_rows(std::int64_t row, std::int64_t lanes, std::int64_t width, const Body& body) {
  std::int64_t lane = 0;
  for (; lane + V::kWidth <= width; lane += V::kWidth) {
    visit_vector<V, kRows>(FullVector<V>{}, row, lanes, lane, body);
  }
  if (lane == width) return;
  visit_vector<V, kRows>(PartVector<V>{V::mask(width - lane)}, row, lanes, lane, body);
}

// All rows in ascending order.
template <class V, class Body>
void visit_all(std::int64_t count, std::int64_t lanes, const Body& body) {
  std::int64_t row = 0;
  for (; row + kRowsTogether * lanes <= count; row += kRowsTogether * lanes) {
    visit_rows<V, kRowsTogether>(row, lanes, lanes, body);
  }
  for (; row < count; row += lanes) {
    visit_rows<V, 1>(row, lanes, lanes < count - row ? lanes : count - row, body);
  }
}

template <class V>
struct Accumulate {
  using Reg = typename V::Reg;
  const float* x;
  float* sum;

  template <class Vector>
  Reg begin(Vector vector, std::int64_t lane) const {
    return vector.load(sum + lane);
  }
  void prefetch(std::int64_t) const {}
  template <class Vector>
  void row(Vector vector, std::int64_t at, Reg& s) const {
    s = V::add(s, vector.load(x + at));
  }
  template <class Vector>
  void end(Vector vector, std::int64_t lane, Reg s) const {
    vector.store(sum + lane, s);
  }
};

template <class V>
struct AccumulateCentred {
  using Reg = typename V::Reg;
  Prefetch ahead;
  const float *x, *minus_centre;
  float *sum, *squares;

  struct Sums {
    Reg centre, sum, squares;
  };
  template <class Vector>
  Sums begin(Vector vector, std::int64_t lane) const {
    return {vector.load(minus_centre + lane), vector.load(sum + lane), vector.load(squares + lane)};
  }
  void prefetch(std::int64_t at) const { ahead(x + at); }
  template <class Vector>
  void row(Vector vector, std::int64_t at, Sums& s) const {
    const Reg d = V::add(vector.load(x + at), s.centre);
    s.sum = V::add(s.sum, d);
    s.squares = V::fma(d, d, s.squares);
  }
  template <class Vector>
  void end(Vector vector, std::int64_t lane, const Sums& s) const {
    vector.store(sum + lane, s.sum);
    vector.store(squares + lane, s.squares);
  }
};

template <class V>
void batch_norm_statistics(std::int64_t count, std::int64_t lanes, const float* x, float* partial) {
  for (std::int64_t i = 0; i < 3 * lanes; ++i) partial[i] = 0.0f;
  const std::int64_t rows = count / lanes, pilot = rows < 8 ? 1 : rows / 8;
  const float factor = -1.0f / static_cast<float>(pilot);
  visit_all<V>(pilot * lanes < count ? pilot * lanes : count, lanes, Accumulate<V>{x, partial});
  for (std::int64_t i = 0; i < lanes; ++i) partial[i] *= factor;
  visit_all<V>(
      count, lanes,
      AccumulateCentred<V>{Prefetch(lanes), x, partial, partial + lanes, partial + 2 * lanes});
}

template <class V, bool kShortcut, bool kRelu, bool kStream>
struct NormalizeRows {
  using Reg = typename V::Reg;
  const BatchNormForwardArgs& args;
  Prefetch ahead{args.lanes};

  struct Lane {
    Reg minus_mean, scale, beta;
  };
  template <class Vector>
  Lane begin(Vector vector, std::int64_t lane) const {
    return {vector.load(args.minus_mean + lane), vector.load(args.scale + lane),
            vector.load(args.beta + lane)};
  }
  void prefetch(std::int64_t at) const {
    ahead(args.x + at);
    if constexpr (kShortcut) ahead(args.shortcut + at);
  }
  template <class Vector>
  void row(Vector vector, std::int64_t at, const Lane& l) const {
    typename V::Reg y = V::fma(V::add(vector.load(args.x + at), l.minus_mean), l.scale, l.beta);
    if constexpr (kShortcut) y = V::add(y, vector.load(args.shortcut + at));
    if constexpr (kRelu) y = V::relu(y);
    if constexpr (kStream) {
      V::stream(args.y + at, y);
    } else {
      vector.store(args.y + at, y);
    }
  }
  template <class Vector>
  void end(Vector, std::int64_t, const Lane&) const {}
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
  Prefetch ahead{args.lanes};

  template <class Vector>
  void write(Vector vector, float* to, typename V::Reg r) const {
    if (args.stream) {
      V::stream(to, r);
    } else {
      vector.store(to, r);
    }
  }

  using Reg = typename V::Reg;
  static constexpr bool kReadsX =
      kMask == ReluMask::kRecomputed || kSums || kDx == DataGradient::kBatchStatistics;
  struct Lane {
    Reg minus_mean, scale, beta, slope, offset, sum, product;
  };

  template <class Vector>
  Lane begin(Vector vector, std::int64_t lane) const {
    Lane l;
    l.minus_mean = l.scale = l.beta = l.slope = l.offset = l.sum = l.product = V::zero();
    if constexpr (kReadsX) l.minus_mean = vector.load(args.minus_mean + lane);
    if constexpr (kMask == ReluMask::kRecomputed || kDx != DataGradient::kNone) {
      l.scale = vector.load(args.scale + lane);
    }
    if constexpr (kMask == ReluMask::kRecomputed) l.beta = vector.load(args.beta + lane);
    if constexpr (kDx == DataGradient::kBatchStatistics) {
      l.slope = vector.load(args.slope + lane);
      l.offset = vector.load(args.offset + lane);
    }
    if constexpr (kSums) {
      l.sum = vector.load(args.sums + lane);
      l.product = vector.load(args.sums + args.lanes + lane);
    }
    return l;
  }
  void prefetch(std::int64_t at) const {
    ahead(args.dy + at);
    if constexpr (kReadsX) ahead(args.x + at);
    if constexpr (kMask == ReluMask::kResult) ahead(args.y + at);
  }
  template <class Vector>
  void row(Vector vector, std::int64_t at, Lane& l) const {
    Reg g = vector.load(args.dy + at), x = V::zero();
    if constexpr (kReadsX) x = V::add(vector.load(args.x + at), l.minus_mean);
    if constexpr (kMask == ReluMask::kRecomputed) {
      g = V::where_positive(V::fma(x, l.scale, l.beta), g);
    }
    if constexpr (kMask == ReluMask::kResult) {
      g = V::where_positive(vector.load(args.y + at), g);
      if (args.g != nullptr) write(vector, args.g + at, g);
    }
    if constexpr (kSums) {
      l.sum = V::add(l.sum, g);
      l.product = V::fma(g, x, l.product);
    }
    if constexpr (kDx == DataGradient::kBatchStatistics) {
      write(vector, args.dx + at, V::fma(l.scale, g, V::fma(l.slope, x, l.offset)));
    }
    if constexpr (kDx == DataGradient::kConstantStatistics) {
      write(vector, args.dx + at, V::fma(l.scale, g, V::zero()));
    }
  }
  template <class Vector>
  void end(Vector vector, std::int64_t lane, const Lane& l) const {
    if constexpr (kSums) {
      vector.store(args.sums + lane, l.sum);
      vector.store(args.sums + args.lanes + lane, l.product);
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
