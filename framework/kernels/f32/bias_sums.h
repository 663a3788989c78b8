#pragma once

#include "kernels/f32/conv2d_parts.h"
#include "kernels/f32/row_chunks.h"

// The sums over the output pixels that make a bias' gradient, in the order that conv2d.h gives.
namespace octet::kernels {

inline std::int64_t output_pixels(const Conv2dShape& s) {
  return s.batch * s.out_height() * s.out_width();
}

// The sums of a chunk of kChunkRows pixels: one chain, or where that would be a few lanes waiting
// for themselves four, of every fourth pixel. Each is a row of the partial sums, in order.
inline std::int64_t sum_chains(const Conv2dShape& s) { return s.out <= 16 ? 4 : 1; }

// Adds pixels [first, last), with `columns` columns, to the chains of their chunks, which a chunk's
// first pixel starts.
//   sums: at the first column; rows of s.out floats
inline void add_to_chains(const F32Kernels& kernels, const Conv2dShape& s, const Matrix& dy,
                          std::int64_t first, std::int64_t last, std::int64_t columns,
                          float* sums) {
  const std::int64_t chains = sum_chains(s);
  const float one = 1.0f;
  // `count` pixels that are `step` apart, from pixel p on, to `width` columns of sums.
  const auto add = [&](std::int64_t p, std::int64_t count, std::int64_t step, std::int64_t width) {
    float* sum = sums + (p / kChunkRows * chains + p % chains) * s.out;
    kernels.gemm({.m = 1,
                  .n = width,
                  .k = count,
                  .a = &one,
                  .a_row = 1,
                  .a_col = 0,
                  .b = dy.first + (p - first) * dy.stride,
                  .b_row = step * dy.stride,
                  .init = sum,
                  .c = sum,
                  .c_row = s.out});
  };
  for (std::int64_t p = first; p < last;) {
    if (p % kChunkRows == 0) {
      for (std::int64_t i = 0; i < chains; ++i) {
        std::fill_n(sums + (p / kChunkRows * chains + i) * s.out, columns, 0.0f);
      }
    }
    const std::int64_t end = std::min(last, (p / kChunkRows + 1) * kChunkRows);
    const std::int64_t rounds = p % chains == 0 ? (end - p) / chains : 0;
    if (rounds == 0) {
      add(p, 1, 1, columns);
      ++p;
    } else if (columns == s.out && dy.stride == s.out) {  // all chains side by side
      add(p, rounds, chains, chains * columns);
      p += rounds * chains;
    } else {
      for (std::int64_t chain = 0; chain < chains; ++chain) add(p + chain, rounds, chains, columns);
      p += rounds * chains;
    }
  }
}

// Floats of the partial sums.
inline std::int64_t bias_sums_floats(const Conv2dShape& s) {
  return whole_lines(chunk_count(output_pixels(s)) * sum_chains(s) * s.out);
}

inline void finish_bias_sums(const Conv2dShape& s, const float* sums, float* db) {
  const std::int64_t parts = chunk_count(output_pixels(s)) * sum_chains(s);
  add_chunks(parts * kChunkRows, s.out, sums, 1.0, db);
}

}  // namespace octet::kernels
