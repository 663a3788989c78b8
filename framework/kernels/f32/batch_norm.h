#pragma once

#include <cstddef>
#include <cstdint>

// Batch normalization over the rows of x [rows, channels]. Plain loops without fused multiply-add,
// so that every instruction set gives the same bits; sums as in row_chunks.h, so that every number
// of threads does. `scratch` is memory of batch_norm_scratch_floats(rows, channels) floats.
//   x, y, dy, dx: [rows, channels]     everything else: [channels]
namespace octet::kernels {

std::size_t batch_norm_scratch_floats(std::int64_t rows, std::int64_t channels);

// Mean and biased variance in two passes: sums of x - (first row), then of (x - mean)^2, so that a
// mean that is large against the deviation costs no accuracy.
void batch_norm_statistics(std::int64_t rows, std::int64_t channels, const float* x, float* mean,
                           float* var, float* scratch);

// y = (x - mean) * (gamma * inv_std) + beta
void batch_norm_apply(std::int64_t rows, std::int64_t channels, const float* x, const float* mean,
                      const float* inv_std, const float* gamma, const float* beta, float* y);

// With x^ = (x - mean) * inv_std: dbeta = sum of dy, dgamma = sum of dy x^.
void batch_norm_parameter_gradients(std::int64_t rows, std::int64_t channels, const float* x,
                                    const float* dy, const float* mean, const float* inv_std,
                                    float* dgamma, float* dbeta, float* scratch);

// dx = gamma inv_std (dy - dbeta / rows - x^ dgamma / rows), where mean and inv_std are the batch's
// own (Ioffe and Szegedy 2015, sec. 3, simplified).
void batch_norm_data_gradient(std::int64_t rows, std::int64_t channels, const float* x,
                              const float* dy, const float* mean, const float* inv_std,
                              const float* gamma, const float* dgamma, const float* dbeta,
                              float* dx);

// dx = gamma inv_std dy, where they are constants.
void batch_norm_data_gradient_constant(std::int64_t rows, std::int64_t channels, const float* dy,
                                       const float* inv_std, const float* gamma, float* dx);

}  // namespace octet::kernels
