#pragma once

#include <cstddef>
#include <cstdint>

// The float matrix product under all training kernels, and what convolutions need beside it. One
// implementation per instruction set (kernels.inc); their results are equal with ==. This header is
// seen by files that are compiled for one instruction set, hence no standard containers and nothing
// that emits code.
namespace octet::kernels {

// c[i, j] = init[i, j] + sum over k of a[i, k] * b[k, j], as the chain acc = fma(a, b, acc) with k
// ascending, started at init (at 0 where init is null). Vectors run along j, never along k, so that
// tile shape and vector width cannot change a bit.
//   a[i, k] = a[i * a_row + k * a_col]; a_row or a_col is 1
//   b[k, j] = b[k * b_row + j]          read at j < n only
//   c[i, j] = c[i * c_row + j]          written at i < m, j < n only
// init may be c itself with init_row = c_row (the chain goes on); init_row = 0 gives every row the
// same bias. m, n, k >= 1. a and b do not overlap c.
// With runs > 1 the chain has runs * k links (with 0 none: init, add and activation remain): run r
// takes a at a + r * a_run, b at b + r * b_run. That is how a convolution reads its kernel rows
// from the image itself. With run_groups > 1 all that happens for each group: its runs start
// a_run_group and b_run_group floats after the last group's. So many images are one chain. With
// row_groups > 1 there are row_groups * m rows: row i of group g is read at a + g * a_group +
// i
// * a_row, and written at c + (g * m + i) * c_row; init likewise. That is how a weight gradient
// reads all taps of a pixel from the image itself.
// With a_rows and c_rows, lists of m offsets, row i is read at a + a_rows[i] and written at c +
// c_rows[i]; init with another init_row than 0, and add, have their rows there too. a_col is then 1
// and row_groups 1. That is how inference makes tiles of pixels from anywhere in a map.
// With `add`, whose rows are where c's are, the chain's result plus add takes its place.
// `next` and `next_too` are memory that will be read soon: a line of it, and then the one that
// begins `next_step` floats further on, is prefetched to L2 with each link of a wide tile's chain,
// or every fourth of a narrow one's, as far as the links go (over several tiles only with a
// `next_step` of 16). It changes no result. With `relu` what
// is written is max(c, 0), and -0.0 and NaN as they are; with `relu6` also min(that, 6).
struct GemmF32Args {
  static constexpr std::int64_t kNarrowLinksPerLine =
      4;  // of a narrow tile, for each line of `next`
  struct Stretch {
    const float* from = nullptr;
    std::int64_t floats = 0;
  };
  std::int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  std::ptrdiff_t a_row = 0, a_col = 0;
  const float* b = nullptr;
  std::ptrdiff_t b_row = 0;
  const float* init = nullptr;
  std::ptrdiff_t init_row = 0;
  float* c = nullptr;
  std::ptrdiff_t c_row = 0;
  std::int64_t runs = 1;
  std::ptrdiff_t a_run = 0, b_run = 0;
  std::int64_t run_groups = 1;
  std::ptrdiff_t a_run_group = 0, b_run_group = 0;
  std::int64_t row_groups = 1;
  std::ptrdiff_t a_group = 0;
  const std::ptrdiff_t *a_rows = nullptr, *c_rows = nullptr;
  const float* add = nullptr;
  bool relu = false, relu6 = false;
  Stretch next = {}, next_too = {};
  std::ptrdiff_t next_step = 16;
};

// Geometry of a 2-D convolution: x [batch, height, width, in], weight [out, kernel_h, kernel_w, in
// / groups], y [batch, out_height(), out_width(), out]; zeros of width `padding` around x. A linear
// layer is the case height = width = kernel_h = kernel_w = 1. All extents >= 1.
struct Conv2dShape {
  std::int64_t batch = 1, height = 1, width = 1, in = 1;
  std::int64_t out = 1, kernel_h = 1, kernel_w = 1;
  std::int64_t stride = 1, padding = 0, groups = 1;

  constexpr std::int64_t out_height() const {
    return (height + 2 * padding - kernel_h) / stride + 1;
  }
  constexpr std::int64_t out_width() const { return (width + 2 * padding - kernel_w) / stride + 1; }
  constexpr std::int64_t in_per_group() const { return in / groups; }
  constexpr std::int64_t out_per_group() const { return out / groups; }
  // Products per output: the k of the matrix product.
  constexpr std::int64_t taps() const { return kernel_h * kernel_w * in_per_group(); }
};

using GemmF32Function = void (*)(const GemmF32Args&);
// The gradient through a ReLU whose result was y: masked[i, j] = y[i, j] > 0 ? dy[i, j] : 0.
//   y, dy: [rows, columns] with `stride` floats from row to row      masked: [rows, columns]
using ReluBackwardFunction = void (*)(std::int64_t rows, std::int64_t columns,
                                      std::ptrdiff_t stride, const float* y, const float* dy,
                                      float* masked);

// Max-pool of windows of 2x2 with stride 2 over `rows` rows of windows: the largest of each window,
// and where `cells` is not null which of its cells, row by row, that was: the first of equal ones.
// A NaN wins.
//   x: [2 * rows, width, channels]      y, cells: [rows, width / 2, channels]
using HalveFunction = void (*)(std::int64_t rows, std::int64_t width, std::int64_t channels,
                               const float* x, float* y, std::uint8_t* cells);
// halve_planes is the same from planes, x: [2 * rows, channels, width], of few channels.
constexpr std::int64_t kMostPlanes = 8;

// The gradient of one row of x: dy where `cells` names a cell in it, else 0; with y not null also 0
// where y is not positive, the gradient of a ReLU before the pool.
//   cell: of the row's first cell in a window, 0 or 2      dx: [width, channels]
//   dy, y, cells: [width / 2, channels]
using HalveBackwardFunction = void (*)(std::int64_t width, std::int64_t channels, int cell,
                                       const float* dy, const float* y, const std::uint8_t* cells,
                                       float* dx);

}  // namespace octet::kernels
