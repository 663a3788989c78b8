#include "kernels/u8s8/pool.h"

#include <algorithm>
#include <cassert>

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

}  // namespace

void max_pool2d_u8(const PoolArgs& args) {
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
