#include "kernels/f32/bias_sums.h"

namespace octet::kernels {
namespace {

// The map rows under a chunk of kChunkRows pixels, at most.
std::int64_t buffer_floats(const Conv2dShape& s) {
  return whole_lines((div_up(kChunkRows, s.out_width()) + 2) * s.out_width() * s.out);
}

}  // namespace

std::size_t conv2d_bias_gradient_scratch_floats(const Conv2dShape& shape) {
  return static_cast<std::size_t>(bias_sums_floats(shape)) +
         workers() * static_cast<std::size_t>(buffer_floats(shape));
}

void conv2d_bias_gradient(const F32Kernels& kernels, const Conv2dShape& s, OutputGradient gradient,
                          float* db, float* scratch) {
  const GradientRows gradient_rows{kernels, s, gradient};
  const std::int64_t count = output_pixels(s), width = s.out_width();
  float* buffers = scratch + bias_sums_floats(s);
  parallel_for_workers(chunk_count(count), [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk * kChunkRows, last = std::min(count, first + kChunkRows);
    const std::int64_t top = first / width, bottom = div_up(last, width);
    const Matrix dy =
        gradient_rows.read(top, bottom, 0, s.out, buffers + worker * buffer_floats(s));
    const Matrix rows = {dy.first + (first - top * width) * dy.stride, dy.stride};
    add_to_chains(kernels, s, rows, first, last, s.out, scratch);
  });
  finish_bias_sums(s, scratch, db);
}

}  // namespace octet::kernels
