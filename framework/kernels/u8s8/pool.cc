#include "kernels/u8s8/pool.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace octet::kernels {
namespace {

// Channels that are summed at a time: their sums fit into registers or the nearest cache.
constexpr std::int64_t kChannels = 64;

// The rows and columns [top, bottom) x [left, right) of the image that a window covers.
struct Window {
  std::int64_t top, bottom, left, right;
};

// Calls body(image, window, y) for each output pixel, y being its first channel.
template <class Body>
void for_each_window(const PoolArgs& p, const Body& body) {
  assert(p.padding < p.kernel_h && p.padding < p.kernel_w);
  const std::int64_t output_h = p.output_h(), output_w = p.output_w();
  std::uint8_t* y = p.y;
  for (std::int64_t image = 0; image < p.n; ++image) {
    const std::uint8_t* x = p.x + image * p.h * p.w * p.c;
    for (std::int64_t i = 0; i < output_h; ++i) {
      const std::int64_t top = i * p.stride - p.padding;
      for (std::int64_t j = 0; j < output_w; ++j, y += p.c) {
        const std::int64_t left = j * p.stride - p.padding;
        body(x,
             Window{std::max<std::int64_t>(top, 0), std::min(top + p.kernel_h, p.h),
                    std::max<std::int64_t>(left, 0), std::min(left + p.kernel_w, p.w)},
             y);
      }
    }
  }
}

// The largest of 8 channels of four pixels. Fixed sizes, so that the compiler sees one vector.
void max_of_8(const std::uint8_t* a, const std::uint8_t* b, const std::uint8_t* c,
              const std::uint8_t* d, std::uint8_t* y) {
  constexpr std::size_t kCount = 8;
  std::uint8_t x[4][kCount], largest[kCount];
  std::memcpy(x[0], a, kCount);
  std::memcpy(x[1], b, kCount);
  std::memcpy(x[2], c, kCount);
  std::memcpy(x[3], d, kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    largest[i] = std::max(std::max(x[0][i], x[1][i]), std::max(x[2][i], x[3][i]));
  }
  std::memcpy(y, largest, kCount);
}

// Windows of 2x2 with stride 2 and no padding: a row of them at a time. Eight channels are taken at
// once wherever as many bytes follow, and what is written too much the next pixel overwrites.
void halve(const PoolArgs& p) {
  const std::int64_t output_h = p.output_h(), output_w = p.output_w(), c = p.c, row = p.w * c;
  std::uint8_t* y = p.y;
  const std::uint8_t* const y_end = p.y + p.n * output_h * output_w * c;
  const std::uint8_t* const x_end = p.x + p.n * p.h * row;
  for (std::int64_t line = 0; line < p.n * output_h; ++line) {
    const std::int64_t top = line / output_h * p.h + line % output_h * 2;
    const std::uint8_t* upper = p.x + top * row;
    for (std::int64_t j = 0; j < output_w; ++j, y += c, upper += 2 * c) {
      const std::uint8_t* lower = upper + row;
      std::int64_t k = 0;
      for (; k < c && y + k + 8 <= y_end && lower + c + k + 8 <= x_end; k += 8) {
        max_of_8(upper + k, upper + c + k, lower + k, lower + c + k, y + k);
      }
      for (; k < c; ++k) {
        y[k] = std::max(std::max(upper[k], upper[c + k]), std::max(lower[k], lower[c + k]));
      }
    }
  }
}

}  // namespace

void max_pool2d_u8(const PoolArgs& args) {
  if (args.kernel_h == 2 && args.kernel_w == 2 && args.stride == 2 && args.padding == 0) {
    halve(args);
    return;
  }
  const std::int64_t c = args.c, row = args.w * args.c;
  for_each_window(args, [&](const std::uint8_t* x, const Window& window, std::uint8_t* y) {
    std::fill_n(y, c, std::uint8_t{0});
    for (std::int64_t i = window.top; i < window.bottom; ++i) {
      for (std::int64_t j = window.left; j < window.right; ++j) {
        const std::uint8_t* pixel = x + i * row + j * c;
        for (std::int64_t k = 0; k < c; ++k) y[k] = std::max(y[k], pixel[k]);
      }
    }
  });
}

void avg_pool2d_u8(const PoolArgs& args, std::int32_t input_zero_point, Requant requant,
                   std::int32_t output_zero_point) {
  const std::int64_t c = args.c, row = args.w * args.c;
  for_each_window(args, [&](const std::uint8_t* x, const Window& window, std::uint8_t* y) {
    const std::int64_t pixels = (window.bottom - window.top) * (window.right - window.left);
    const auto start = static_cast<std::int32_t>(-pixels * input_zero_point);
    for (std::int64_t first = 0; first < c; first += kChannels) {
      const std::int64_t count = std::min(kChannels, c - first);
      std::int32_t sum[kChannels];
      std::fill_n(sum, count, start);
      for (std::int64_t i = window.top; i < window.bottom; ++i) {
        for (std::int64_t j = window.left; j < window.right; ++j) {
          const std::uint8_t* pixel = x + i * row + j * c + first;
          for (std::int64_t k = 0; k < count; ++k) sum[k] += pixel[k];
        }
      }
      for (std::int64_t k = 0; k < count; ++k) {
        y[first + k] =
            static_cast<std::uint8_t>(requantize_one(sum[k], requant, output_zero_point, 0, 255));
      }
    }
  });
}

}  // namespace octet::kernels
