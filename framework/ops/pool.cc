#include "ops/pool.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include "autograd/node.h"
#include "base/cpu.h"
#include "kernels/f32/kernels.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

// Four floats or integers at once: baseline SIMD (SSE, NEON) by the vector extension of GCC and
// Clang.
using F32x4 = float __attribute__((vector_size(16)));
using I32x4 = std::int32_t __attribute__((vector_size(16)));
using U8x16 = std::uint8_t __attribute__((vector_size(16)));

F32x4 load4(const float* from) {
  F32x4 v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}

struct Window {
  std::int64_t kh, kw, stride, padding;
};

// The extents of a pooling: input [n, h, w, c], output [n, oh, ow, c].
struct Extents {
  std::int64_t n, h, w, c, oh, ow;
};

// The part of a window that lies inside the map, in window coordinates; (y, x) is where its first
// cell would be.
struct Cells {
  std::int64_t y, x, ky_begin, ky_end, kx_begin, kx_end;
};

Cells cells_of(const Extents& e, const Window& win, std::int64_t oy, std::int64_t ox) {
  const std::int64_t y = oy * win.stride - win.padding, x = ox * win.stride - win.padding;
  return {.y = y,
          .x = x,
          .ky_begin = std::max<std::int64_t>(0, -y),
          .ky_end = std::min(win.kh, e.h - y),
          .kx_begin = std::max<std::int64_t>(0, -x),
          .kx_end = std::min(win.kw, e.w - x)};
}

// The largest of each window, and (where `winners` is not null) its cell ky * kw + kx, for four
// channels.  A NaN wins, as in PyTorch.
//   x: the image at the first of the channels
void max_of_window4(const float* x, const Extents& e, const Window& win, const Cells& cells,
                    float* y, std::uint8_t* winner) {
  const auto at = [&](std::int64_t ky, std::int64_t kx) {
    return load4(x + ((cells.y + ky) * e.w + cells.x + kx) * e.c);
  };
  F32x4 best = at(cells.ky_begin, cells.kx_begin);
  const auto first = static_cast<std::int32_t>(cells.ky_begin * win.kw + cells.kx_begin);
  I32x4 best_cell = {first, first, first, first};
  for (std::int64_t ky = cells.ky_begin; ky < cells.ky_end; ++ky) {
    for (std::int64_t kx = cells.kx_begin; kx < cells.kx_end; ++kx) {
      const F32x4 v = at(ky, kx);
      const auto k = static_cast<std::int32_t>(ky * win.kw + kx);
      const I32x4 wins = (v > best) | (v != v);
      best = wins ? v : best;
      best_cell = wins ? I32x4{k, k, k, k} : best_cell;
    }
  }
  std::memcpy(y, &best, sizeof(best));
  if (winner == nullptr) return;
  U8x16 bytes;  // the lowest of each lane come first: much faster than __builtin_convertvector
  std::memcpy(&bytes, &best_cell, sizeof(bytes));
  bytes = __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
  std::memcpy(winner, &bytes, 4);
}

// The same for one channel.
void max_of_window1(const float* x, const Extents& e, const Window& win, const Cells& cells,
                    float* y, std::uint8_t* winner) {
  float best = x[((cells.y + cells.ky_begin) * e.w + cells.x + cells.kx_begin) * e.c];
  std::int64_t best_cell = cells.ky_begin * win.kw + cells.kx_begin;
  for (std::int64_t ky = cells.ky_begin; ky < cells.ky_end; ++ky) {
    for (std::int64_t kx = cells.kx_begin; kx < cells.kx_end; ++kx) {
      const float v = x[((cells.y + ky) * e.w + cells.x + kx) * e.c];
      const bool wins = (v > best) | (v != v);
      best = wins ? v : best;
      best_cell = wins ? ky * win.kw + kx : best_cell;
    }
  }
  *y = best;
  if (winner != nullptr) *winner = static_cast<std::uint8_t>(best_cell);
}

// One row of windows. y, winner: the row of the result
void max_of_row(const float* image, const Extents& e, const Window& win, std::int64_t oy, float* y,
                std::uint8_t* winner) {
  for (std::int64_t ox = 0; ox < e.ow; ++ox) {
    const Cells cells = cells_of(e, win, oy, ox);
    const auto run = [&](auto* max_of_window, std::int64_t c) {
      max_of_window(image + c, e, win, cells, y + ox * e.c + c,
                    winner != nullptr ? winner + ox * e.c + c : nullptr);
    };
    if (e.c < 4) {
      for (std::int64_t c = 0; c < e.c; ++c) run(max_of_window1, c);
    } else {  // the last four channels may overlap those before: they give the same results again
      for (std::int64_t c = 0; c < e.c; c += 4) run(max_of_window4, std::min(c, e.c - 4));
    }
  }
}

// Windows of 2x2 with stride 2, of LeNet and of most networks, have kernels of their own.
bool is_halving(const Window& win) {
  return win.kh == 2 && win.kw == 2 && win.stride == 2 && win.padding == 0;
}

void halve_backward(const float* g, const std::uint8_t* cells, const Extents& e, float* into) {
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
void max_pool_backward(const float* g, const std::uint8_t* winner, const Extents& e,
                       const Window& win, float* into) {
  std::array<std::int64_t, 256> offset{};  // of each cell from the window's first
  for (std::int64_t k = 0; k < win.kh * win.kw; ++k) {
    offset[static_cast<std::size_t>(k)] = (k / win.kw * e.w + k % win.kw) * e.c;
  }
  std::fill_n(into, e.h * e.w * e.c, 0.0f);
  for (std::int64_t oy = 0; oy < e.oh; ++oy) {
    for (std::int64_t ox = 0; ox < e.ow; ++ox) {
      const std::int64_t y = oy * win.stride - win.padding, x = ox * win.stride - win.padding;
      const std::int64_t corner = (y * e.w + x) * e.c;
      for (std::int64_t c = 0; c < e.c; ++c) into[corner + offset[*winner++] + c] += *g++;
    }
  }
}

struct MaxPool2dBackward final : Node {
  Tensor winners;  // u8, the shape of the result: the cell of the window that was largest
  Extents extents{};
  Window window{};

  const char* name() const override { return "MaxPool2dBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    const Extents e = extents;
    Tensor grad = Tensor::empty({e.n, e.h, e.w, e.c});
    const float* g = grad_output.data();
    const std::uint8_t* winner = winners.data<std::uint8_t>();
    float* into = grad.mutable_data();
    const bool halving = is_halving(window);
    parallel_for(e.n, [&](std::int64_t n) {
      const std::int64_t from = n * e.oh * e.ow * e.c, to = n * e.h * e.w * e.c;
      if (halving) {
        halve_backward(g + from, winner + from, e, into + to);
      } else {
        max_pool_backward(g + from, winner + from, e, window, into + to);
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
  Extents extents{};
  Window window{};

  const char* name() const override { return "AvgPool2dBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    const Extents e = extents;
    const Window win = window;
    const float share = 1.0f / static_cast<float>(win.kh * win.kw);
    Tensor grad = Tensor::zeros({e.n, e.h, e.w, e.c});
    const float* g = grad_output.data();
    float* into = grad.mutable_data();
    parallel_for(e.n, [&](std::int64_t n) {
      for (std::int64_t oy = 0; oy < e.oh; ++oy) {
        for (std::int64_t ox = 0; ox < e.ow; ++ox) {
          const Cells cells = cells_of(e, win, oy, ox);
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

Extents check_pool(const char* op, const Tensor& x, const Pool2dOptions& o) {
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
          .ow = (w + 2 * o.padding - o.kernel) / o.stride + 1};
}

Tensor average(const Tensor& x, const Extents& e, const Window& win) {
  Tensor y = Tensor::empty({e.n, e.oh, e.ow, e.c});
  const float* images = x.data();
  float* into = y.mutable_data();
  const float area = static_cast<float>(win.kh * win.kw);
  parallel_for(e.n * e.oh, [&](std::int64_t row) {
    const std::int64_t n = row / e.oh, oy = row % e.oh;
    for (std::int64_t ox = 0; ox < e.ow; ++ox) {
      const Cells cells = cells_of(e, win, oy, ox);
      float* mean = into + (row * e.ow + ox) * e.c;
      std::fill_n(mean, e.c, 0.0f);
      for (std::int64_t ky = cells.ky_begin; ky < cells.ky_end; ++ky) {
        for (std::int64_t kx = cells.kx_begin; kx < cells.kx_end; ++kx) {
          accumulate(mean, images + ((n * e.h + cells.y + ky) * e.w + cells.x + kx) * e.c, 1.0f,
                     e.c);
        }
      }
      for (std::int64_t c = 0; c < e.c; ++c) mean[c] /= area;
    }
  });
  if (should_record({x})) {
    auto node = std::make_shared<AvgPool2dBackward>();
    node->extents = e;
    node->window = win;
    attach(y, {x}, std::move(node));
  }
  return y;
}

}  // namespace

Tensor max_pool2d(const Tensor& x, Pool2dOptions options) {
  const Extents e = check_pool("max_pool2d", x, options);
  OCTET_CHECK(options.kernel <= 16, "[max_pool2d] expects kernel <= 16, got ", options.kernel);
  const Window win{options.kernel, options.kernel, options.stride, options.padding};
  const bool recording = should_record({x});
  Tensor y = Tensor::empty({e.n, e.oh, e.ow, e.c});
  Tensor winners = recording ? Tensor::empty(y.shape(), DType::kU8) : Tensor();
  const float* images = x.data();
  float* into = y.mutable_data();
  std::uint8_t* winner = recording ? winners.mutable_data<std::uint8_t>() : nullptr;
  const bool halving = is_halving(win);
  const kernels::F32Kernels& isa = kernels::select_f32_kernels(process_isa());
  parallel_for(e.n * e.oh, [&](std::int64_t row) {
    const float* image = images + row / e.oh * (e.h * e.w * e.c);
    const std::int64_t at = row * e.ow * e.c;
    std::uint8_t* cell = winner != nullptr ? winner + at : nullptr;
    if (halving) {
      isa.halve(1, e.w, e.c, image + 2 * (row % e.oh) * e.w * e.c, into + at, cell);
    } else {
      max_of_row(image, e, win, row % e.oh, into + at, cell);
    }
  });
  y.set_qparams(x.qparams());
  if (recording) {
    auto node = std::make_shared<MaxPool2dBackward>();
    node->winners = std::move(winners);
    node->extents = e;
    node->window = win;
    attach(y, {x}, std::move(node));
  }
  return y;
}

Tensor avg_pool2d(const Tensor& x, Pool2dOptions options) {
  check_values("avg_pool2d", x);
  const Extents e = check_pool("avg_pool2d", x, options);
  return average(x, e, {options.kernel, options.kernel, options.stride, options.padding});
}

Tensor global_avg_pool2d(const Tensor& x) {
  check_values("global_avg_pool2d", x);
  check_image("global_avg_pool2d", x);
  const Extents e{.n = x.dim(0), .h = x.dim(1), .w = x.dim(2), .c = x.dim(3), .oh = 1, .ow = 1};
  return average(x, e, {.kh = e.h, .kw = e.w, .stride = 1, .padding = 0});
}

}  // namespace octet
