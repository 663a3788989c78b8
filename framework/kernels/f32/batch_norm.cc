#include "kernels/f32/batch_norm.h"

#include <algorithm>

#include "base/parallel.h"

namespace octet::kernels {
namespace {

// Floats of [first, first + count) of x, as a chunk's rows of lanes.
struct Chunk {
  std::int64_t first, count;
};

Chunk chunk_of(BatchNormShape shape, std::int64_t chunk) {
  const std::int64_t size = kChunkRows * shape.lanes();
  return {chunk * size, std::min(size, shape.rows * shape.channels - chunk * size)};
}

// Calls body(Chunk, chunk number), in parallel.
template <class Body>
void for_each_chunk(BatchNormShape shape, const Body& body) {
  parallel_for(shape.chunks(), [&](std::int64_t chunk) { body(chunk_of(shape, chunk), chunk); });
}

constexpr std::int64_t kBlock = 32;

// Calls body(first, last) for blocks of at most kBlock channels; in parallel where the partial sums
// are many enough to pay for it.
template <class Body>
void for_each_channel_block(BatchNormShape shape, const Body& body) {
  const std::int64_t blocks = (shape.channels + kBlock - 1) / kBlock;
  const bool small = shape.chunks() * shape.lanes() < (1 << 14);
  const std::int64_t items = small ? 1 : blocks;
  parallel_for(items, [&](std::int64_t item) {
    for (std::int64_t b = item; b < (small ? blocks : item + 1); ++b) {
      body(b * kBlock, std::min(shape.channels, (b + 1) * kBlock));
    }
  });
}

// One group of lanes, one for each channel, in one chunk.
struct Part {
  std::int64_t chunk;
  std::int64_t lane;  // of channel 0
  double rows;        // that each of the lanes has
};

// Calls body(Part) for all of them, in order.
template <class Body>
void for_each_part(BatchNormShape shape, const Body& body) {
  const std::int64_t chunks = shape.chunks(), lanes = shape.lanes();
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::int64_t count = chunk_of(shape, chunk).count, rows = count / lanes;
    for (std::int64_t lane = 0; lane < lanes; lane += shape.channels) {
      body(Part{chunk, lane, static_cast<double>(rows + (rows * lanes + lane < count ? 1 : 0))});
    }
  }
}

bool streams(BatchNormShape shape, const float* to) {
  constexpr std::int64_t kCaches = 1 << 22;  // 16 MiB: with the input about what an L3 holds
  return shape.rows * shape.channels >= kCaches && shape.lanes() % 16 == 0 &&
         reinterpret_cast<std::uintptr_t>(to) % 64 == 0;
}

// [lanes] from [channels].
template <class Value>
void fill_lanes(BatchNormShape shape, float* lanes, const Value& value) {
  for (std::int64_t c = 0; c < shape.channels; ++c) lanes[c] = value(c);
  for (std::int64_t f = 1; f < shape.fold(); ++f) {
    std::copy_n(lanes, shape.channels, lanes + f * shape.channels);
  }
}

}  // namespace

void batch_norm_chunk_statistics(const F32Kernels& kernels, BatchNormShape shape, const float* x,
                                 std::int64_t chunk, float* partials) {
  const Chunk part = chunk_of(shape, chunk);
  kernels.batch_norm_statistics(part.count, shape.lanes(), x + part.first,
                                partials + chunk * shape.partial_floats());
}

void batch_norm_combine_statistics(BatchNormShape shape, const float* partials, float* mean,
                                   float* var) {
  const std::int64_t lanes = shape.lanes();
  const double share = 1.0 / static_cast<double>(shape.rows);
  for_each_channel_block(shape, [=](std::int64_t first, std::int64_t last) {
    const std::int64_t width = last - first;
    double means[kBlock] = {}, squares[kBlock] = {};
    for_each_part(shape, [&](Part part) {
      const float* partial = partials + part.chunk * 3 * lanes + part.lane + first;
      for (std::int64_t j = 0; j < width; ++j) {
        means[j] += double{partial[lanes + j]} - part.rows * double{partial[j]};
      }
    });
    for (double& sum : means) sum *= share;
    for_each_part(shape, [&](Part part) {
      const float* partial = partials + part.chunk * 3 * lanes + part.lane + first;
      for (std::int64_t j = 0; j < width; ++j) {
        // sum of (x - mean)^2 = sum of ((x - centre) + shift)^2
        const double shift = -double{partial[j]} - means[j];
        squares[j] += double{partial[2 * lanes + j]} +
                      shift * (2.0 * double{partial[lanes + j]} + part.rows * shift);
      }
    });
    for (std::int64_t j = 0; j < width; ++j) {
      const double variance = squares[j] * share;
      mean[first + j] = static_cast<float>(means[j]);
      var[first + j] = variance < 0.0 ? 0.0f : static_cast<float>(variance);  // NaN stays one
    }
  });
}

void batch_norm_statistics(const F32Kernels& kernels, BatchNormShape shape, const float* x,
                           float* mean, float* var, float* scratch) {
  parallel_for(shape.chunks(), [&](std::int64_t chunk) {
    batch_norm_chunk_statistics(kernels, shape, x, chunk, scratch);
  });
  batch_norm_combine_statistics(shape, scratch, mean, var);
}

void batch_norm_parameters(BatchNormShape shape, const float* mean, const float* inv_std,
                           const float* gamma, const float* beta, float* parameters) {
  const std::int64_t lanes = shape.lanes();
  fill_lanes(shape, parameters, [=](std::int64_t c) { return -mean[c]; });
  fill_lanes(shape, parameters + lanes, [=](std::int64_t c) { return gamma[c] * inv_std[c]; });
  fill_lanes(shape, parameters + 2 * lanes, [=](std::int64_t c) { return beta[c]; });
}

void batch_norm_forward(const F32Kernels& kernels, BatchNormShape shape, const float* parameters,
                        const float* x, const float* shortcut, bool relu, float* y) {
  const std::int64_t lanes = shape.lanes();
  const bool stream = streams(shape, y);
  for_each_chunk(shape, [&, lanes, stream](Chunk chunk, std::int64_t) {
    kernels.batch_norm_forward({.count = chunk.count,
                                .lanes = lanes,
                                .x = x + chunk.first,
                                .shortcut = shortcut == nullptr ? nullptr : shortcut + chunk.first,
                                .minus_mean = parameters,
                                .scale = parameters + lanes,
                                .beta = parameters + 2 * lanes,
                                .y = y + chunk.first,
                                .relu = relu,
                                .stream = stream});
  });
}

namespace {

const float* at(const float* p, std::int64_t i) { return p == nullptr ? nullptr : p + i; }
float* at(float* p, std::int64_t i) { return p == nullptr ? nullptr : p + i; }

// dgamma and dbeta from the chunks' sums [chunks, 2, lanes]; for the data gradient slope and offset
// [lanes] where not null.
void combine_sums(BatchNormShape shape, const BatchNormGradients& g, const float* sums,
                  float* slope, float* offset) {
  const std::int64_t lanes = shape.lanes();
  const double share = 1.0 / static_cast<double>(shape.rows);
  const float* scale = g.parameters + lanes;
  for_each_channel_block(shape, [=](std::int64_t first, std::int64_t last) {
    const std::int64_t width = last - first;
    double sum[kBlock] = {}, product[kBlock] = {};
    for_each_part(shape, [&](Part part) {
      const float* partial = sums + part.chunk * 2 * lanes + part.lane + first;
      for (std::int64_t j = 0; j < width; ++j) {
        sum[j] += double{partial[j]};
        product[j] += double{partial[lanes + j]};
      }
    });
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int64_t c = first + j;
      const double inv_std = double{g.inv_std[c]}, factor = -double{scale[c]} * share;
      if (g.dgamma != nullptr) g.dgamma[c] = static_cast<float>(product[j] * inv_std);
      if (g.dbeta != nullptr) g.dbeta[c] = static_cast<float>(sum[j]);
      if (slope == nullptr) continue;
      slope[c] = static_cast<float>(factor * inv_std * inv_std * product[j]);
      offset[c] = static_cast<float>(factor * sum[j]);
    }
  });
}

}  // namespace

std::size_t batch_norm_backward_scratch_floats(BatchNormShape shape) {
  return static_cast<std::size_t>(2 * shape.lanes() * (shape.chunks() + 1));
}

void batch_norm_backward(const F32Kernels& kernels, BatchNormShape shape,
                         const BatchNormGradients& g, float* scratch) {
  const std::int64_t lanes = shape.lanes();
  const bool sums = g.batch_statistics || g.dgamma != nullptr;
  float *slope = scratch, *offset = scratch + lanes, *partials = scratch + 2 * lanes;
  BatchNormBackwardArgs all{
      .mask = !g.relu          ? ReluMask::kNone
              : g.y == nullptr ? ReluMask::kRecomputed
                               : ReluMask::kResult,
      .x = g.x,
      .dy = g.dy,
      .y = g.y,
      .minus_mean = g.parameters,
      .scale = g.parameters + lanes,
      .beta = g.parameters + 2 * lanes,
      .g = g.dshortcut,
      .dx = g.batch_statistics ? nullptr : g.dx,
      .slope = slope,
      .offset = offset,
  };
  const auto run = [&](const BatchNormBackwardArgs& pass, bool with_sums) {
    for_each_chunk(shape, [&](Chunk chunk, std::int64_t number) {
      BatchNormBackwardArgs args = pass;
      args.count = chunk.count;
      args.lanes = lanes;
      args.x += chunk.first;
      args.dy += chunk.first;
      args.y = at(args.y, chunk.first);
      args.g = at(args.g, chunk.first);
      args.dx = at(args.dx, chunk.first);
      args.sums = with_sums ? partials + number * 2 * lanes : nullptr;
      kernels.batch_norm_backward(args);
    });
  };
  if (!g.batch_statistics) all.slope = all.offset = nullptr;
  all.stream = streams(shape, all.dx) && streams(shape, all.g);
  run(all, sums);
  if (!sums) return;
  const bool second_pass = g.batch_statistics && g.dx != nullptr;
  combine_sums(shape, g, partials, second_pass ? slope : nullptr, offset);
  if (!second_pass) return;
  for (float* values : {slope, offset}) {
    fill_lanes(shape, values, [=](std::int64_t c) { return values[c]; });
  }
  if (g.dshortcut != nullptr) {  // it holds what the ReLU let pass
    all.mask = ReluMask::kNone;
    all.dy = g.dshortcut;
  }
  all.g = nullptr;
  all.dx = g.dx;
  all.stream = streams(shape, all.dx);
  run(all, false);
}

}  // namespace octet::kernels
