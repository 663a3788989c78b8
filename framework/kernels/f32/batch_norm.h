#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/f32/kernels.h"
#include "kernels/f32/row_chunks.h"

// Batch normalization over the rows of x [rows, channels], with ReLU and a residual connection in
// the same passes over memory. The same bits for every instruction set and number of threads: sums
// are chains over fixed chunks of rows, and what the chunks gave is combined in order in double.
namespace octet::kernels {

// x [rows, channels], seen as rows of `lanes()` floats: `fold()` rows of x each where channels are
// fewer than 64, so that vectors are full. A lane is one channel in every fold()-th row.
struct BatchNormShape {
  std::int64_t rows = 0, channels = 0;

  constexpr std::int64_t fold() const {
    std::int64_t fold = 1;
    while (channels < 64 && (fold * channels < 64 || fold * channels % 16 != 0)) fold *= 2;
    return fold;
  }
  constexpr std::int64_t lanes() const { return fold() * channels; }
  // Rows of x in one chunk: 128 from 64 channels on. The last chunk may have fewer.
  constexpr std::int64_t chunk_rows() const { return kChunkRows * fold(); }
  constexpr std::int64_t chunks() const { return (rows + chunk_rows() - 1) / chunk_rows(); }
  constexpr std::int64_t partial_floats() const { return 3 * lanes(); }
};

// Statistics in one pass over memory, and in two steps so that whoever makes x can take the first
// one while a chunk is still in cache (a convolution, as soon as it has written rows [chunk *
// chunk_rows(), ...) of all channels):
//   1. for each chunk, in any order and by any thread, partials + chunk * partial_floats() is
//   filled:
//      for each lane -centre, the sum of x - centre and that of (x - centre)^2. The centre is about
//      the mean of the chunk's first eighth, which makes the sum of squares at most 9 times that
//      about the chunk's own mean (Jensen), whatever the data: a mean that is large against the
//      deviation costs no accuracy.
//   2. combined in order in double: the mean, and the biased variance about it.
//      Chan, Golub and LeVeque 1983 ("Algorithms for computing the sample variance").
//   partials: [chunks(), 3, lanes()]     mean, var: [channels]
void batch_norm_chunk_statistics(const F32Kernels& kernels, BatchNormShape shape, const float* x,
                                 std::int64_t chunk, float* partials);
void batch_norm_combine_statistics(BatchNormShape shape, const float* partials, float* mean,
                                   float* var);
// Both. scratch: shape.chunks() * shape.partial_floats() floats.
void batch_norm_statistics(const F32Kernels& kernels, BatchNormShape shape, const float* x,
                           float* mean, float* var, float* scratch);

// What the other passes read, for each lane: -mean, gamma inv_std, beta.
//   parameters: [3, lanes()]     everything else: [channels]
void batch_norm_parameters(BatchNormShape shape, const float* mean, const float* inv_std,
                           const float* gamma, const float* beta, float* parameters);

// y = act((x - mean) (gamma inv_std) + beta + shortcut)
//   x, shortcut (or null), y: [rows, channels]
void batch_norm_forward(const F32Kernels& kernels, BatchNormShape shape, const float* parameters,
                        const float* x, const float* shortcut, bool relu, float* y);

// All gradients. With g = dy where the ReLU let pass, else 0, and x^ = (x - mean) inv_std:
//   dbeta = sum of g, dgamma = sum of g x^, dshortcut = g,
//   dx = gamma inv_std (g - dbeta / rows - x^ dgamma / rows) with the batch's own statistics (Ioffe
//   and Szegedy 2015, sec. 3, simplified), gamma inv_std g where they are constants.
// Two passes with the batch's statistics, one with constant ones.
struct BatchNormGradients {
  const float* parameters = nullptr;  // of batch_norm_parameters
  const float* inv_std = nullptr;     // [channels]
  bool batch_statistics = true;
  bool relu = false;
  const float *x = nullptr, *dy = nullptr;
  const float* y = nullptr;  // the result: read with relu and a shortcut, else null
  // Written where not null. dshortcut only with relu and a shortcut: without ReLU it is dy.
  float *dgamma = nullptr, *dbeta = nullptr;  // [channels], both or none
  float *dx = nullptr, *dshortcut = nullptr;
};
std::size_t batch_norm_backward_scratch_floats(BatchNormShape shape);
void batch_norm_backward(const F32Kernels& kernels, BatchNormShape shape,
                         const BatchNormGradients& gradients, float* scratch);

}  // namespace octet::kernels
