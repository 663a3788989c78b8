#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <vector>

#include "kernels/f32/batch_norm.h"

namespace octet::kernels {

// Batch norm's statistics of rows that are being written: the thread that completes a chunk of them
// takes the chunk's, while most of it is still in cache. Which thread that is changes no bit.
//   x: [rows, channels]     partials: as in batch_norm.h, or null: then nothing is done
// wrote() may be called by any thread, for each row once.
class ChunkStatistics {
 public:
  ChunkStatistics(const F32Kernels& kernels, BatchNormShape shape, const float* x, float* partials)
      : kernels_(kernels),
        shape_(shape),
        x_(x),
        partials_(partials),
        written_(static_cast<std::size_t>(partials == nullptr ? 0 : shape.chunks())) {}

  // Rows [first, first + count), all channels.
  void wrote(std::int64_t first, std::int64_t count) {
    if (partials_ == nullptr) return;
    const std::int64_t size = shape_.chunk_rows(), end = first + count;
    for (std::int64_t chunk = first / size; chunk * size < end; ++chunk) {
      const std::int64_t begin = chunk * size, all = std::min(size, shape_.rows - begin);
      const std::int64_t rows = std::min(end, begin + size) - std::max(first, begin);
      // Acquires what the threads wrote that released their rows here.
      auto& written = written_[static_cast<std::size_t>(chunk)];
      if (written.fetch_add(rows, std::memory_order_acq_rel) + rows == all) {
        batch_norm_chunk_statistics(kernels_, shape_, x_, chunk, partials_);
      }
    }
  }

 private:
  const F32Kernels& kernels_;
  const BatchNormShape shape_;
  const float* x_;
  float* partials_;
  std::vector<std::atomic<std::int64_t>> written_;  // rows of each chunk
};

}  // namespace octet::kernels
