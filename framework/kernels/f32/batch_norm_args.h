#pragma once

#include <cstdint>

// What the batch norm kernels of one instruction set take (kernels.inc); their results are equal
// with
// ==. This header is seen by files that are compiled for one instruction set, hence no standard
// containers and nothing that emits code.
//
// They work on rows of `lanes` floats, one after the other, `count` floats in all: the last row may
// be cut short. Lanes are channels, or `fold` times the channels where those are few
// (batch_norm.h). A sum is one chain per lane, from the first row to the last.
namespace octet::kernels {

// partial: [3, lanes], written: -centre, the sum of x - centre, and that of (x - centre)^2. The
// centre is about the mean of the first eighth of the rows. A lane without rows gets zeros.
using BatchNormStatisticsFunction = void (*)(std::int64_t count, std::int64_t lanes, const float* x,
                                             float* partial);

// y = act(fma(x + minus_mean, scale, beta) + shortcut)
struct BatchNormForwardArgs {
  std::int64_t count = 0, lanes = 0;
  const float* x = nullptr;
  const float* shortcut = nullptr;                                       // null for none
  const float *minus_mean = nullptr, *scale = nullptr, *beta = nullptr;  // [lanes]
  float* y = nullptr;
  bool relu = false;
  // y goes to memory past the caches, for results that do not fit them: lanes is then a multiple of
  // 16 and y 64-byte aligned.
  bool stream = false;
};
using BatchNormForwardFunction = void (*)(const BatchNormForwardArgs&);

// Where the ReLU let pass: g = dy there, else 0.
enum class ReluMask {
  kNone,        // there was no ReLU: g = dy
  kRecomputed,  // where fma(x + minus_mean, scale, beta) > 0
  kResult,      // where y > 0
};

// Sums of g and of g (x - mean), and dx = fma(scale, g, fma(slope, x - mean, offset)).
struct BatchNormBackwardArgs {
  std::int64_t count = 0, lanes = 0;
  ReluMask mask = ReluMask::kNone;
  const float *x = nullptr, *dy = nullptr;
  const float* y = nullptr;                                              // read with kResult
  const float *minus_mean = nullptr, *scale = nullptr, *beta = nullptr;  // [lanes]
  float* g = nullptr;                               // written with kResult, null for not
  float* sums = nullptr;                            // [2, lanes], written; null for none
  float* dx = nullptr;                              // null for none
  const float *slope = nullptr, *offset = nullptr;  // [lanes]; null: dx = scale g
  bool stream = false;                              // of g and dx; see BatchNormForwardArgs
};
using BatchNormBackwardFunction = void (*)(const BatchNormBackwardArgs&);

}  // namespace octet::kernels
