#include "kernels/u8s8/pool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "base/rng.h"
#include "kernels/qspec.h"
#include "tests/guarded_buffer.h"

namespace octet::kernels {
namespace {

using testing::Guard;
using testing::GuardedBuffer;

// Code of a pixel, or `outside` in the padding.
int at(const PoolArgs& p, std::int64_t image, std::int64_t i, std::int64_t j, std::int64_t c,
       int outside) {
  if (i < 0 || i >= p.h || j < 0 || j >= p.w) return outside;
  return p.x[((image * p.h + i) * p.w + j) * p.c + c];
}

// The definition: body(codes of one window with their padding) for each output element.
template <class Body>
std::vector<std::uint8_t> expected(const PoolArgs& p, int outside, const Body& body) {
  std::vector<std::uint8_t> y;
  for (std::int64_t image = 0; image < p.n; ++image) {
    for (std::int64_t i = 0; i < p.output_h(); ++i) {
      for (std::int64_t j = 0; j < p.output_w(); ++j) {
        for (std::int64_t c = 0; c < p.c; ++c) {
          std::vector<int> window;
          for (std::int64_t a = 0; a < p.kernel_h; ++a) {
            for (std::int64_t b = 0; b < p.kernel_w; ++b) {
              window.push_back(at(p, image, i * p.stride - p.padding + a,
                                  j * p.stride - p.padding + b, c, outside));
            }
          }
          y.push_back(static_cast<std::uint8_t>(body(window)));
        }
      }
    }
  }
  return y;
}

// Random pools of each size, kernel, stride and padding; run(args) must give expected(args).
template <class Run, class Expected>
void compare(const Run& run, const Expected& expect) {
  int ran = 0;
  for (const std::int64_t size : {1, 2, 5, 7}) {
    for (const std::int64_t kernel : {1, 2, 3, 7}) {
      for (const std::int64_t stride : {1, 2, 3}) {
        for (const std::int64_t padding : {0, 1}) {
          for (const std::int64_t c : {1, 3, 16, 65, 130}) {
            PoolArgs p{.n = 2,
                       .h = size,
                       .w = size + 1,
                       .c = c,
                       .kernel_h = kernel,
                       .kernel_w = std::max<std::int64_t>(kernel - 1, 1),
                       .stride = stride,
                       .padding = padding};
            if (padding >= p.kernel_w || p.h + 2 * padding < kernel) continue;
            CAPTURE(size);
            CAPTURE(kernel);
            CAPTURE(stride);
            CAPTURE(padding);
            CAPTURE(c);
            Rng rng(6, RngPurpose::kTest, 0, static_cast<std::uint32_t>(ran));
            GuardedBuffer<std::uint8_t> x(static_cast<std::size_t>(p.n * p.h * p.w * c),
                                          Guard::kAfter);
            for (auto& code : x) code = static_cast<std::uint8_t>(rng.next());
            GuardedBuffer<std::uint8_t> y(
                static_cast<std::size_t>(p.n * p.output_h() * p.output_w() * c), Guard::kAfter);
            p.x = x.data();
            p.y = y.data();
            run(p);
            const std::vector<std::uint8_t> want = expect(p);
            REQUIRE(want.size() == y.size());
            REQUIRE(std::equal(y.begin(), y.end(), want.begin()));
            ++ran;
          }
        }
      }
    }
  }
  CHECK(ran > 200);
}

}  // namespace

TEST_CASE("max_pool2d_u8: equals the definition, padded with code 0") {
  compare([](const PoolArgs& p) { max_pool2d_u8(p); },
          [](const PoolArgs& p) {
            return expected(p, 0, [](const std::vector<int>& window) {
              return *std::max_element(window.begin(), window.end());
            });
          });
}

TEST_CASE("avg_pool2d_u8: equals the definition, padding counts as real 0") {
  const float input_scale = 0.1f, output_scale = 0.06f;
  for (const std::int32_t zero_point : {0, 100, 255}) {
    const auto requant = [&](const PoolArgs& p) {
      return make_requant(average_ratio(input_scale, output_scale, p.kernel_h * p.kernel_w));
    };
    compare([&](const PoolArgs& p) { avg_pool2d_u8(p, zero_point, requant(p), 9); },
            [&](const PoolArgs& p) {
              return expected(p, zero_point, [&](const std::vector<int>& window) {
                std::int32_t acc = 0;
                for (const int code : window) acc += code - zero_point;
                return requantize_one(acc, requant(p), 9, 0, 255);
              });
            });
  }
}

TEST_CASE("avg_pool2d_u8: the mean of a window with equal scales, half up") {
  const std::vector<std::uint8_t> x = {1, 2, 3, 4, 255, 255, 255, 255, 1, 1, 1, 0, 1, 1, 0, 0};
  std::vector<std::uint8_t> y(4);
  avg_pool2d_u8({.n = 4, .h = 2, .w = 2, .c = 1, .x = x.data(), .y = y.data()}, 0,
                make_requant(average_ratio(1.0f, 1.0f, 4)), 0);
  CHECK(y == std::vector<std::uint8_t>{3, 255, 1, 1});
}

}  // namespace octet::kernels
