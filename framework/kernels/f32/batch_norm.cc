#include "kernels/f32/batch_norm.h"

#include "kernels/f32/row_chunks.h"

namespace octet::kernels {

std::size_t batch_norm_scratch_floats(std::int64_t rows, std::int64_t channels) {
  return static_cast<std::size_t>(2 * chunk_count(rows) * channels);
}

void batch_norm_statistics(std::int64_t rows, std::int64_t channels, const float* x, float* mean,
                           float* var, float* scratch) {
  for_each_row_chunk(rows, [=](std::int64_t chunk, std::int64_t first, std::int64_t last) {
    float* __restrict sum = scratch + chunk * channels;
    std::fill_n(sum, channels, 0.0f);
    for (std::int64_t i = first; i < last; ++i) {
      const float* row = x + i * channels;
      for (std::int64_t c = 0; c < channels; ++c) sum[c] += row[c] - x[c];
    }
  });
  add_chunks(rows, channels, scratch, 1.0 / static_cast<double>(rows), mean);
  for (std::int64_t c = 0; c < channels; ++c) mean[c] += x[c];
  for_each_row_chunk(rows, [=](std::int64_t chunk, std::int64_t first, std::int64_t last) {
    float* __restrict sum = scratch + chunk * channels;
    std::fill_n(sum, channels, 0.0f);
    for (std::int64_t i = first; i < last; ++i) {
      const float* row = x + i * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float deviation = row[c] - mean[c];
        sum[c] += deviation * deviation;
      }
    }
  });
  add_chunks(rows, channels, scratch, 1.0 / static_cast<double>(rows), var);
}

void batch_norm_apply(std::int64_t rows, std::int64_t channels, const float* x, const float* mean,
                      const float* inv_std, const float* gamma, const float* beta, float* y) {
  for_each_row_chunk(rows, [=](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const float* from = x + i * channels;
      float* __restrict to = y + i * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        to[c] = (from[c] - mean[c]) * (gamma[c] * inv_std[c]) + beta[c];
      }
    }
  });
}

void batch_norm_parameter_gradients(std::int64_t rows, std::int64_t channels, const float* x,
                                    const float* dy, const float* mean, const float* inv_std,
                                    float* dgamma, float* dbeta, float* scratch) {
  float* products = scratch + chunk_count(rows) * channels;
  for_each_row_chunk(rows, [=](std::int64_t chunk, std::int64_t first, std::int64_t last) {
    float* __restrict sum = scratch + chunk * channels;
    float* __restrict product = products + chunk * channels;
    std::fill_n(sum, channels, 0.0f);
    std::fill_n(product, channels, 0.0f);
    for (std::int64_t i = first; i < last; ++i) {
      const float *row = x + i * channels, *grad = dy + i * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        sum[c] += grad[c];
        product[c] += grad[c] * ((row[c] - mean[c]) * inv_std[c]);
      }
    }
  });
  add_chunks(rows, channels, scratch, 1.0, dbeta);
  add_chunks(rows, channels, products, 1.0, dgamma);
}

void batch_norm_data_gradient(std::int64_t rows, std::int64_t channels, const float* x,
                              const float* dy, const float* mean, const float* inv_std,
                              const float* gamma, const float* dgamma, const float* dbeta,
                              float* dx) {
  const float share = static_cast<float>(1.0 / static_cast<double>(rows));
  for_each_row_chunk(rows, [=](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const float *row = x + i * channels, *grad = dy + i * channels;
      float* __restrict to = dx + i * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const float normalized = (row[c] - mean[c]) * inv_std[c];
        const float centered = grad[c] - dbeta[c] * share - normalized * (dgamma[c] * share);
        to[c] = gamma[c] * inv_std[c] * centered;
      }
    }
  });
}

void batch_norm_data_gradient_constant(std::int64_t rows, std::int64_t channels, const float* dy,
                                       const float* inv_std, const float* gamma, float* dx) {
  for_each_row_chunk(rows, [=](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const float* grad = dy + i * channels;
      float* __restrict to = dx + i * channels;
      for (std::int64_t c = 0; c < channels; ++c) to[c] = gamma[c] * inv_std[c] * grad[c];
    }
  });
}

}  // namespace octet::kernels
