#pragma once

#include <algorithm>
#include <cstdint>

#include "base/parallel.h"

// Sums over the rows of a matrix [rows, columns] in the fixed order of the project: chunks of 128
// rows, each summed in float from top to bottom, and the chunks added in order in double.
namespace octet::kernels {

constexpr std::int64_t kChunkRows = 128;

constexpr std::int64_t chunk_count(std::int64_t rows) {
  return (rows + kChunkRows - 1) / kChunkRows;
}

// Calls body(chunk, first, last) for every chunk of rows [first, last), in parallel.
template <class Body>
void for_each_row_chunk(std::int64_t rows, const Body& body) {
  parallel_for(chunk_count(rows), [&](std::int64_t chunk) {
    body(chunk, chunk * kChunkRows, std::min(rows, (chunk + 1) * kChunkRows));
  });
}

// sums[j] = factor * sum over chunks of partials[chunk, j], partials: [chunk_count(rows), columns].
inline void add_chunks(std::int64_t rows, std::int64_t columns, const float* partials,
                       double factor, float* sums) {
  constexpr std::int64_t kBlock = 16;
  parallel_for((columns + kBlock - 1) / kBlock, [&](std::int64_t block) {
    const std::int64_t first = block * kBlock, width = std::min(kBlock, columns - first);
    double acc[kBlock] = {};
    for (std::int64_t chunk = 0; chunk < chunk_count(rows); ++chunk) {
      const float* partial = partials + chunk * columns + first;
      for (std::int64_t j = 0; j < width; ++j) acc[j] += double{partial[j]};
    }
    for (std::int64_t j = 0; j < width; ++j) sums[first + j] = static_cast<float>(factor * acc[j]);
  });
}

}  // namespace octet::kernels
