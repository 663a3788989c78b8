#include "ops/pool.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "autograd/node.h"
#include "base/cpu.h"
#include "kernels/f32/pool.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

using kernels::pool_cells;
using kernels::PoolCells;
using kernels::PoolShape;

void halve_backward(const float* g, const std::uint8_t* cells, const PoolShape& e, float* into) {
  const kernels::F32Kernels& isa = kernels::select_f32_kernels(process_isa());
  const std::int64_t line = e.w * e.c, half = e.ow * e.c;
  for (std::int64_t y = 0; y < 2 * e.oh; ++y) {
    const std::int64_t from = y / 2 * half;
    isa.halve_backward(e.w, e.c, y % 2 == 0 ? 0 : 2, g + from, nullptr, cells + from,
                       into + y * line);
  }
  if (e.h % 2 != 0) std::fill_n(into + (e.h - 1) * line, line, 0.0f);
}

// The gradient of one image.
void max_pool_backward(const float* g, const std::uint8_t* winner, const PoolShape& e,
                       float* into) {
  std::array<std::int64_t, 256> offset{};  // of each cell from the window's first
  for (std::int64_t k = 0; k < e.kh * e.kw; ++k) {
    offset[static_cast<std::size_t>(k)] = (k / e.kw * e.w + k % e.kw) * e.c;
  }
  std::fill_n(into, e.h * e.w * e.c, 0.0f);
  for (std::int64_t oy = 0; oy < e.oh; ++oy) {
    for (std::int64_t ox = 0; ox < e.ow; ++ox) {
      const std::int64_t y = oy * e.stride - e.padding, x = ox * e.stride - e.padding;
      const std::int64_t corner = (y * e.w + x) * e.c;
      for (std::int64_t c = 0; c < e.c; ++c) into[corner + offset[*winner++] + c] += *g++;
    }
  }
}

struct MaxPool2dBackward final : Node {
  Tensor winners;  // u8, the shape of the result: the cell of the window that was largest
  PoolShape shape;

  const char* name() const override { return "MaxPool2dBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    const PoolShape& e = shape;
    Tensor grad = Tensor::empty({e.n, e.h, e.w, e.c});
    const float* g = grad_output.data();
    const std::uint8_t* winner = winners.data<std::uint8_t>();
    float* into = grad.mutable_data();
    const bool halving = shape.halves();
    parallel_for(e.n, [&](std::int64_t n) {
      const std::int64_t from = n * e.oh * e.ow * e.c, to = n * e.h * e.w * e.c;
      if (halving) {
        halve_backward(g + from, winner + from, e, into + to);
      } else {
        max_pool_backward(g + from, winner + from, e, into + to);
      }
    });
    return {grad};
  }
};

// y[c] += factor * x[c]
void accumulate(float* __restrict y, const float* __restrict x, float factor, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) y[c] += x[c] * factor;
}

struct AvgPool2dBackward final : Node {
  PoolShape shape;

  const char* name() const override { return "AvgPool2dBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    const PoolShape& e = shape;
    const float share = 1.0f / static_cast<float>(e.kh * e.kw);
    Tensor grad = Tensor::zeros({e.n, e.h, e.w, e.c});
    const float* g = grad_output.data();
    float* into = grad.mutable_data();
    parallel_for(e.n, [&](std::int64_t n) {
      for (std::int64_t oy = 0; oy < e.oh; ++oy) {
        for (std::int64_t ox = 0; ox < e.ow; ++ox) {
          const PoolCells cells = pool_cells(e, oy, ox);
          const float* from = g + ((n * e.oh + oy) * e.ow + ox) * e.c;
          for (std::int64_t ky = cells.ky_begin; ky < cells.ky_end; ++ky) {
            for (std::int64_t kx = cells.kx_begin; kx < cells.kx_end; ++kx) {
              accumulate(into + ((n * e.h + cells.y + ky) * e.w + cells.x + kx) * e.c, from, share,
                         e.c);
            }
          }
        }
      }
    });
    return {grad};
  }
};

void check_image(const char* op, const Tensor& x) {
  OCTET_CHECK(
      x.defined() && x.dtype() == DType::kF32 && x.rank() == 4 && x.dim(1) > 0 && x.dim(2) > 0, "[",
      op, "] expects F32 images [N, H, W, C], got ",
      x.defined() ? message(name_of(x.dtype()), " ", x.shape())
                  : std::string("an undefined tensor"));
}

PoolShape check_pool(const char* op, const Tensor& x, const Pool2dOptions& o) {
  check_image(op, x);
  OCTET_CHECK(o.kernel >= 1 && o.stride >= 1 && o.padding >= 0 && o.padding <= o.kernel / 2, "[",
              op, "] expects kernel and stride >= 1 and 0 <= padding <= kernel / 2, got kernel ",
              o.kernel, ", stride ", o.stride, ", padding ", o.padding);
  const std::int64_t h = x.dim(1), w = x.dim(2);
  OCTET_CHECK(h + 2 * o.padding >= o.kernel && w + 2 * o.padding >= o.kernel, "[", op,
              "] expects maps of at least ", o.kernel, " x ", o.kernel, " with padding ", o.padding,
              ", got shape ", x.shape());
  return {.n = x.dim(0),
          .h = h,
          .w = w,
          .c = x.dim(3),
          .oh = (h + 2 * o.padding - o.kernel) / o.stride + 1,
          .ow = (w + 2 * o.padding - o.kernel) / o.stride + 1,
          .kh = o.kernel,
          .kw = o.kernel,
          .stride = o.stride,
          .padding = o.padding};
}

Tensor average(const Tensor& x, const PoolShape& e) {
  Tensor y = Tensor::empty({e.n, e.oh, e.ow, e.c});
  const float* images = x.data();
  float* into = y.mutable_data();
  parallel_for(e.n * e.oh, [&](std::int64_t row) {
    kernels::avg_pool_row(e, row % e.oh, images + row / e.oh * (e.h * e.w * e.c),
                          into + row * e.ow * e.c);
  });
  if (should_record({x})) {
    auto node = std::make_shared<AvgPool2dBackward>();
    node->shape = e;
    attach(y, {x}, std::move(node));
  }
  return y;
}

}  // namespace

Tensor max_pool2d(const Tensor& x, Pool2dOptions options) {
  const PoolShape e = check_pool("max_pool2d", x, options);
  OCTET_CHECK(options.kernel <= 16, "[max_pool2d] expects kernel <= 16, got ", options.kernel);
  const bool recording = should_record({x});
  Tensor y = Tensor::empty({e.n, e.oh, e.ow, e.c});
  Tensor winners = recording ? Tensor::empty(y.shape(), DType::kU8) : Tensor();
  const float* images = x.data();
  float* into = y.mutable_data();
  std::uint8_t* winner = recording ? winners.mutable_data<std::uint8_t>() : nullptr;
  const kernels::F32Kernels& isa = kernels::select_f32_kernels(process_isa());
  parallel_for(e.n * e.oh, [&](std::int64_t row) {
    const std::int64_t at = row * e.ow * e.c;
    kernels::max_pool_row(isa, e, row % e.oh, images + row / e.oh * (e.h * e.w * e.c), into + at,
                          winner != nullptr ? winner + at : nullptr);
  });
  y.set_qparams(x.qparams());
  if (recording) {
    auto node = std::make_shared<MaxPool2dBackward>();
    node->winners = std::move(winners);
    node->shape = e;
    attach(y, {x}, std::move(node));
  }
  return y;
}

Tensor avg_pool2d(const Tensor& x, Pool2dOptions options) {
  check_values("avg_pool2d", x);
  const PoolShape e = check_pool("avg_pool2d", x, options);
  return average(x, e);
}

Tensor global_avg_pool2d(const Tensor& x) {
  check_values("global_avg_pool2d", x);
  check_image("global_avg_pool2d", x);
  return average(
      x,
      {.n = x.dim(0), .h = x.dim(1), .w = x.dim(2), .c = x.dim(3), .kh = x.dim(1), .kw = x.dim(2)});
}

}  // namespace octet
