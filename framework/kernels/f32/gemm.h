#pragma once

#include <cstddef>
#include <cstdint>

// The float matrix product under all training kernels, and the two rearrangements that turn a
// convolution into it. One implementation per instruction set (kernels.inc); their results are
// equal with ==. This header is seen by files that are compiled for one instruction set, hence no
// standard containers and nothing that emits code.
namespace octet::kernels {

// c[i, j] = init[i, j] + sum over k of a[i, k] * b[k, j], as the chain acc = fma(a, b, acc) with k
// ascending, started at init (at 0 where init is null). Vectors run along j, never along k, so that
// tile shape and vector width cannot change a bit.
//   a[i, k] = a[i * a_row + k * a_col]; a_row or a_col is 1
//   b[k, j] = b[k * b_row + j]          read at j < n only
//   c[i, j] = c[i * c_row + j]          written at i < m, j < n only
// init may be c itself with init_row = c_row (the chain goes on); init_row = 0 gives every row the
// same bias. m, n, k >= 1. a and b do not overlap c.
// With runs > 1 the chain has runs * k links: run r takes a at a + r * a_run, b at b + r * b_run.
// That is how a convolution reads its kernel rows from the image itself.
// With `relu` what is written is max(c, 0), and -0.0 and NaN as they are.
struct GemmF32Args {
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
  bool relu = false;
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

// Rows of output pixels [first, last) of the whole batch (row r is row r % out_height() of image r
// / out_height()), as a matrix: pixel p, tap t at columns[p * stride + t], t in the order
// [kernel_h] [kernel_w][in / groups] of one group. Taps outside the image are zeros.
struct Im2colArgs {
  Conv2dShape shape;
  std::int64_t group = 0, first_row = 0, last_row = 0;
  std::ptrdiff_t column_stride = 0;  // >= shape.taps()
};

using GemmF32Function = void (*)(const GemmF32Args&);
// Reads x, the whole batch; writes columns, and up to kColumnSlack floats beyond the last one.
constexpr std::ptrdiff_t kColumnSlack = 16;
using Im2colFunction = void (*)(const Im2colArgs&, const float* x, float* columns);
// The adjoint of im2col: adds every column element to the element of x that it came from. Each
// element of x receives its summands in ascending order of the output pixel.
using Col2imFunction = void (*)(const Im2colArgs&, const float* columns, float* x);

// The gradient through a ReLU whose result was y: masked[i, j] = y[i, j] > 0 ? dy[i, j] : 0.
//   y, dy: [rows, columns] with `stride` floats from row to row      masked: [rows, columns]
using ReluBackwardFunction = void (*)(std::int64_t rows, std::int64_t columns,
                                      std::ptrdiff_t stride, const float* y, const float* dy,
                                      float* masked);

}  // namespace octet::kernels
