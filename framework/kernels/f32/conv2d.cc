#include "kernels/f32/conv2d.h"

#include <algorithm>

#include "base/parallel.h"
#include "kernels/f32/pack.h"
#include "kernels/f32/row_chunks.h"

namespace octet::kernels {
namespace {

constexpr std::int64_t div_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Row strides and pieces of scratch are whole cache lines.
constexpr std::int64_t whole_lines(std::int64_t floats) { return div_up(floats, 16) * 16; }

// How the work is cut: a function of the shape alone.
struct Plan {
  const Conv2dShape& s;
  std::int64_t k, pixels_per_row, rows;  // output rows of the whole batch
  bool direct;                           // the im2col matrix is x itself
  // Kernel rows are read from the lines of the image, or of a copy with its padding: no im2col.
  // Pays where there are few products per float of im2col.
  bool from_lines;
  std::int64_t line_floats;  // with padding
  std::int64_t column_stride, chunk_rows, chunks;

  explicit Plan(const Conv2dShape& shape)
      : s(shape),
        k(shape.taps()),
        pixels_per_row(shape.out_width()),
        rows(shape.batch * shape.out_height()),
        direct(shape.kernel_h == 1 && shape.kernel_w == 1 && shape.stride == 1 &&
               shape.padding == 0 && shape.groups == 1),
        from_lines(!direct && shape.groups == 1 && shape.kernel_w * shape.in <= 32 &&
                   pixels_per_row >= 8),
        line_floats((shape.width + 2 * shape.padding) * shape.in) {
    // About 24 KB of columns, which L1 holds; where that is less than 32 pixels about 64 KB, which
    // L2 holds beside the weights. For small problems at least 16 pieces, so that there is
    // something to share.
    const std::int64_t pixels = std::clamp<std::int64_t>(
        std::max(6144 / k, std::min<std::int64_t>(16384 / k, 32)), 16, 128);
    const std::int64_t share = std::max<std::int64_t>(16, rows * pixels_per_row / 16);
    chunk_rows = std::clamp<std::int64_t>(std::min(pixels, share) / pixels_per_row, 1, rows);
    chunks = div_up(rows, chunk_rows);
    column_stride = direct ? k : whole_lines(k);
  }

  std::int64_t column_floats() const {
    return direct ? 0 : chunk_rows * pixels_per_row * column_stride + kColumnSlack;
  }

  std::int64_t lines_floats() const {
    return from_lines && s.padding > 0
               ? whole_lines(((chunk_rows - 1) * s.stride + s.kernel_h) * line_floats)
               : 0;
  }

  // Of the output gradient behind a ReLU, for the same pixels, or for a chunk of column_sums.
  std::int64_t masked_floats() const {
    return whole_lines(std::max(chunk_rows * pixels_per_row, kChunkRows) * s.out);
  }

  std::int64_t backward_floats() const { return whole_lines(column_floats()) + masked_floats(); }

  std::int64_t forward_floats() const { return from_lines ? lines_floats() : column_floats(); }

  // The first line of x, with padding, under output row oy of an image; further ones as far as
  // `count` output rows of it need them. `buffer`, filled, or x.
  const float* lines(const float* x, std::int64_t image, std::int64_t oy, std::int64_t count,
                     float* buffer) const {
    const std::int64_t line = s.width * s.in, border = s.padding * s.in;
    const float* from = x + image * s.height * line;
    const std::int64_t top = oy * s.stride - s.padding;
    if (s.padding == 0) return from + top * line;
    float* to = buffer;
    for (std::int64_t y = top; y < top + (count - 1) * s.stride + s.kernel_h; ++y) {
      if (y < 0 || y >= s.height) {
        std::fill_n(to, line_floats, 0.0f);
      } else {
        std::fill_n(to, border, 0.0f);
        std::copy_n(from + y * line, line, to + border);
        std::fill_n(to + border + line, border, 0.0f);
      }
      to += line_floats;
    }
    return buffer;
  }

  // Calls body(image, oy, row, count) for the parts of output rows [first, last) that lie in one
  // image: `count` from row oy of it, which is `row` of the batch.
  template <class Body>
  void for_each_image(std::int64_t first, std::int64_t last, const Body& body) const {
    const std::int64_t height = s.out_height();
    for (std::int64_t row = first; row < last;) {
      const std::int64_t count = std::min(last - row, height - row % height);
      body(row / height, row % height, row, count);
      row += count;
    }
  }

  // The columns of output rows [first, last) for one group of channels: `buffer`, filled, or x.
  const float* columns(const F32Kernels& kernels, std::int64_t group, std::int64_t first,
                       std::int64_t last, const float* x, float* buffer) const {
    if (direct) return x + first * pixels_per_row * k;
    kernels.im2col({s, group, first, last, column_stride}, x, buffer);
    return buffer;
  }
};

// How the weight gradient is cut: groups of output rows, whose partial sums are added in order, and
// blocks of output channels, which share nothing.
struct WeightPlan : Plan {
  std::int64_t groups, group_rows, block, blocks_per_group, blocks;

  explicit WeightPlan(const Conv2dShape& shape) : Plan(shape) {
    constexpr std::int64_t kMaxGroups = 16, kMinPixels = 512, kMaxPartialFloats = 1 << 20;
    const std::int64_t most = std::min(
        {kMaxGroups, rows, rows * pixels_per_row / kMinPixels, kMaxPartialFloats / (s.out * k)});
    group_rows = div_up(rows, std::max<std::int64_t>(1, most));
    groups = div_up(rows, group_rows);
    block = groups >= kMaxGroups / 2 ? s.out_per_group() : 12;
    blocks_per_group = div_up(s.out_per_group(), block);
    blocks = s.groups * blocks_per_group;
  }

  std::int64_t partial_floats() const { return whole_lines(groups > 1 ? groups * s.out * k : 0); }
  std::int64_t sums_floats() const {
    return whole_lines(chunk_count(rows * pixels_per_row) * s.out);
  }
};

// A matrix inside another one.
struct Rows {
  const float* first;
  std::int64_t stride;
};

// Columns [column, column + columns) of rows [first, last) of the gradient, a matrix with `stride`
// columns: where it lies, or behind a ReLU `buffer`, filled.
Rows rows_of(const F32Kernels& kernels, OutputGradient gradient, std::int64_t stride,
             std::int64_t first, std::int64_t last, std::int64_t column, std::int64_t columns,
             float* buffer) {
  const std::int64_t at = first * stride + column;
  if (gradient.y == nullptr) return {gradient.dy + at, stride};
  kernels.relu_backward(last - first, columns, stride, gradient.y + at, gradient.dy + at, buffer);
  return {buffer, columns};
}

// Rows [first, last) in their place among the chunks of column_sums: adds them to sums[chunk],
// which a chunk's first row starts. The sums of a chunk lie `stride` floats after those before.
void add_rows(const F32Kernels& kernels, const Rows& rows, std::int64_t first, std::int64_t last,
              std::int64_t columns, float* sums, std::int64_t stride) {
  const float one = 1.0f;
  for (std::int64_t row = first; row < last;) {
    const std::int64_t chunk = row / kChunkRows, end = std::min(last, (chunk + 1) * kChunkRows);
    float* sum = sums + chunk * stride;
    kernels.gemm({.m = 1,
                  .n = columns,
                  .k = end - row,
                  .a = &one,
                  .a_row = 1,
                  .a_col = 0,
                  .b = rows.first + (row - first) * rows.stride,
                  .b_row = rows.stride,
                  .init = row % kChunkRows == 0 ? nullptr : sum,
                  .c = sum,
                  .c_row = stride});
    row = end;
  }
}

std::size_t workers() { return static_cast<std::size_t>(num_threads()); }

}  // namespace

std::size_t conv2d_forward_scratch_floats(const Conv2dShape& shape) {
  const Plan plan(shape);
  return static_cast<std::size_t>(shape.groups * packed_floats(shape.out_per_group(), plan.k)) +
         workers() * static_cast<std::size_t>(plan.forward_floats());
}

void conv2d_forward(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                    const float* weight, const float* bias, float* y, float* scratch, bool relu) {
  const Plan plan(s);
  const std::int64_t n = s.out_per_group(), packed_group = packed_floats(n, plan.k);
  for (std::int64_t g = 0; g < s.groups; ++g) {
    pack_transposed(weight + g * n * plan.k, n, plan.k, scratch + g * packed_group);
  }
  // `gemm` knows its rows of a; `row` is their output row.
  const auto product = [&](std::int64_t g, std::int64_t row, GemmF32Args gemm) {
    gemm.a_col = 1;
    gemm.c_row = s.out;
    gemm.relu = relu;
    for (std::int64_t panel = 0; panel < panel_count(n); ++panel) {
      const std::int64_t column = panel * kPanelColumns;
      gemm.n = std::min(kPanelColumns, n - column);
      gemm.b = scratch + g * packed_group + column * plan.k;
      gemm.b_row = panel_width(n, panel);
      gemm.b_run = gemm.k * gemm.b_row;
      gemm.init = bias == nullptr ? nullptr : bias + g * n + column;
      gemm.c = y + row * plan.pixels_per_row * s.out + g * n + column;
      kernels.gemm(gemm);
    }
  };
  float* buffers = scratch + s.groups * packed_group;
  parallel_for_workers(plan.chunks, [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk * plan.chunk_rows;
    const std::int64_t last = std::min(plan.rows, first + plan.chunk_rows);
    float* buffer = buffers + worker * plan.forward_floats();
    if (plan.from_lines) {
      plan.for_each_image(first, last, [&](auto image, auto oy, auto row, auto rows) {
        const float* lines = plan.lines(x, image, oy, rows, buffer);
        for (std::int64_t i = 0; i < rows; ++i) {
          product(0, row + i,
                  {.m = plan.pixels_per_row,
                   .k = s.kernel_w * s.in,
                   .a = lines + i * s.stride * plan.line_floats,
                   .a_row = s.stride * s.in,
                   .runs = s.kernel_h,
                   .a_run = plan.line_floats});
        }
      });
      return;
    }
    for (std::int64_t g = 0; g < s.groups; ++g) {
      product(g, first,
              {.m = (last - first) * plan.pixels_per_row,
               .k = plan.k,
               .a = plan.columns(kernels, g, first, last, x, buffer),
               .a_row = plan.column_stride});
    }
  });
}

std::size_t conv2d_data_gradient_scratch_floats(const Conv2dShape& shape) {
  return workers() * static_cast<std::size_t>(Plan(shape).backward_floats());
}

void conv2d_data_gradient(const F32Kernels& kernels, const Conv2dShape& s, OutputGradient gradient,
                          const float* weight, float* dx, float* scratch) {
  const Plan plan(s);
  const std::int64_t out = s.out_per_group();
  // All groups' gradient of output rows [first, last); `buffer`: a worker's.
  const auto rows_of_chunk = [&](std::int64_t first, std::int64_t last, float* buffer) {
    return rows_of(kernels, gradient, s.out, first * plan.pixels_per_row,
                   last * plan.pixels_per_row, 0, s.out,
                   buffer + whole_lines(plan.column_floats()));
  };
  const auto product = [&](std::int64_t g, std::int64_t rows, const float* dy, float* columns) {
    kernels.gemm({.m = rows * plan.pixels_per_row,
                  .n = plan.k,
                  .k = out,
                  .a = dy + g * out,
                  .a_row = s.out,
                  .a_col = 1,
                  .b = weight + g * out * plan.k,
                  .b_row = plan.k,
                  .c = columns,
                  .c_row = plan.column_stride});
  };
  if (plan.direct) {
    parallel_for_workers(plan.chunks, [&](std::int64_t chunk, int worker) {
      const std::int64_t first = chunk * plan.chunk_rows;
      const std::int64_t last = std::min(plan.rows, first + plan.chunk_rows);
      const Rows dy = rows_of_chunk(first, last, scratch + worker * plan.backward_floats());
      product(0, last - first, dy.first, dx + first * plan.pixels_per_row * plan.k);
    });
    return;
  }
  // Output rows of one image overlap in dx: an image is one item.
  const std::int64_t image_floats = s.height * s.width * s.in, height = s.out_height();
  parallel_for_workers(s.batch, [&](std::int64_t image, int worker) {
    float* columns = scratch + worker * plan.backward_floats();
    std::fill_n(dx + image * image_floats, image_floats, 0.0f);
    const std::int64_t end = (image + 1) * height;
    for (std::int64_t first = image * height; first < end; first += plan.chunk_rows) {
      const std::int64_t last = std::min(end, first + plan.chunk_rows);
      const Rows dy = rows_of_chunk(first, last, columns);
      for (std::int64_t g = 0; g < s.groups; ++g) {
        product(g, last - first, dy.first, columns);
        kernels.col2im({s, g, first, last, plan.column_stride}, columns, dx);
      }
    }
  });
}

std::size_t conv2d_weight_gradient_scratch_floats(const Conv2dShape& shape) {
  const WeightPlan plan(shape);
  return static_cast<std::size_t>(plan.partial_floats() + plan.sums_floats()) +
         workers() * static_cast<std::size_t>(plan.backward_floats());
}

void conv2d_weight_gradient(const F32Kernels& kernels, const Conv2dShape& s, const float* x,
                            OutputGradient gradient, float* dw, float* scratch, float* db) {
  const WeightPlan plan(s);
  const std::int64_t size = s.out * plan.k, out = s.out_per_group();
  float* partials = plan.groups > 1 ? scratch : dw;
  float* sums = scratch + plan.partial_floats();
  float* buffers = sums + plan.sums_floats();
  parallel_for_workers(plan.groups * plan.blocks, [&](std::int64_t item, int worker) {
    const std::int64_t row_group = item / plan.blocks, block = item % plan.blocks;
    const std::int64_t g = block / plan.blocks_per_group;
    const std::int64_t channel = g * out + block % plan.blocks_per_group * plan.block;
    float* partial = partials + row_group * size + channel * plan.k;
    const std::int64_t begin = row_group * plan.group_rows;
    const std::int64_t end = std::min(plan.rows, begin + plan.group_rows);
    float* columns = buffers + worker * plan.backward_floats();
    float* masked = columns + whole_lines(plan.column_floats());
    const std::int64_t width = std::min(plan.block, (g + 1) * out - channel);
    // Pixels of the chunks of `sums` that start here; the last one may go on beyond.
    const std::int64_t pixels = plan.pixels_per_row;
    const std::int64_t sum_begin = chunk_count(begin * pixels) * kChunkRows;
    const std::int64_t sum_end =
        std::min(plan.rows * pixels, chunk_count(end * pixels) * kChunkRows);
    for (std::int64_t first = begin; first < end; first += plan.chunk_rows) {
      const std::int64_t last = std::min(end, first + plan.chunk_rows);
      const Rows dy =
          rows_of(kernels, gradient, s.out, first * pixels, last * pixels, channel, width, masked);
      const std::int64_t from = std::max(sum_begin, first * pixels);
      if (db != nullptr && from < last * pixels) {
        const Rows rest = {dy.first + (from - first * pixels) * dy.stride, dy.stride};
        add_rows(kernels, rest, from, last * pixels, width, sums + channel, s.out);
      }
      GemmF32Args gemm = {.m = width};
      gemm.a_row = 1;
      gemm.a_col = dy.stride;
      gemm.init_row = gemm.c_row = plan.k;
      if (plan.from_lines && s.padding == 0 && s.kernel_w * s.in >= 16) {
        plan.for_each_image(first, last, [&](auto image, auto oy, auto row, auto rows) {
          gemm.n = s.kernel_w * s.in;
          gemm.k = plan.pixels_per_row;
          gemm.a = dy.first + (row - first) * plan.pixels_per_row * dy.stride;
          gemm.b_row = s.stride * s.in;
          gemm.runs = rows;
          gemm.a_run = plan.pixels_per_row * dy.stride;
          gemm.b_run = s.stride * plan.line_floats;
          const float* lines = plan.lines(x, image, oy, rows, nullptr);
          for (std::int64_t kh = 0; kh < s.kernel_h; ++kh) {
            gemm.b = lines + kh * plan.line_floats;
            gemm.c = partial + kh * gemm.n;
            gemm.init = row == begin ? nullptr : gemm.c;
            kernels.gemm(gemm);
          }
        });
        continue;
      }
      gemm.n = plan.k;
      gemm.k = (last - first) * plan.pixels_per_row;
      gemm.a = dy.first;
      gemm.b = plan.columns(kernels, g, first, last, x, columns);
      gemm.b_row = plan.column_stride;
      gemm.init = first == begin ? nullptr : partial;
      gemm.c = partial;
      kernels.gemm(gemm);
    }
    const std::int64_t beyond = std::max(sum_begin, end * pixels);
    if (db == nullptr || beyond >= sum_end) return;
    const Rows rest = rows_of(kernels, gradient, s.out, beyond, sum_end, channel, width, masked);
    add_rows(kernels, rest, beyond, sum_end, width, sums + channel, s.out);
  });
  if (db != nullptr) add_chunks(plan.rows * plan.pixels_per_row, s.out, sums, 1.0, db);
  if (plan.groups == 1) return;
  constexpr std::int64_t kPiece = 4096;
  parallel_for(div_up(size, kPiece), [&](std::int64_t piece) {
    const std::int64_t end = std::min(size, (piece + 1) * kPiece);
    for (std::int64_t i = piece * kPiece; i < end; ++i) {
      float sum = partials[i];
      for (std::int64_t group = 1; group < plan.groups; ++group) sum += partials[group * size + i];
      dw[i] = sum;
    }
  });
}

std::size_t column_sums_scratch_floats(std::int64_t rows, std::int64_t columns) {
  const std::int64_t partials = whole_lines(chunk_count(rows) * columns);
  return static_cast<std::size_t>(partials) +
         workers() * static_cast<std::size_t>(kChunkRows * columns);
}

void column_sums(const F32Kernels& kernels, std::int64_t rows, std::int64_t columns,
                 OutputGradient gradient, float* sums, float* scratch) {
  float* buffers = scratch + whole_lines(chunk_count(rows) * columns);
  parallel_for_workers(chunk_count(rows), [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk * kChunkRows, last = std::min(rows, first + kChunkRows);
    const Rows piece = rows_of(kernels, gradient, columns, first, last, 0, columns,
                               buffers + worker * kChunkRows * columns);
    add_rows(kernels, piece, first, last, columns, scratch, columns);
  });
  add_chunks(rows, columns, scratch, 1.0, sums);
}

}  // namespace octet::kernels
