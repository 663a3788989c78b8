#include "kernels/u8s8/one_channel.h"

#include <algorithm>
#include <cstring>

#include "base/integer_math.h"

namespace octet::kernels {

namespace {

constexpr std::int64_t kOutputs = OneChannelArgs::kMostOutputs;

constexpr OneChannelKernel kKernels[] = {
    {"u8s8_one_channel_scalar", Isa::kScalar, one_channel_scalar},
#if defined(__x86_64__)
    {"u8s8_one_channel_16x8_avx512vnni", Isa::kAvx512Vnni, one_channel_avx512vnni},
#endif
};

}  // namespace

const OneChannelKernel* find_one_channel(Isa isa) {
  for (const OneChannelKernel& kernel : kKernels) {
    if (kernel.isa == isa) return &kernel;
  }
  return nullptr;
}

std::size_t packed_one_channel_bytes(std::int64_t kernel_h, std::int64_t kernel_w) {
  return static_cast<std::size_t>(kernel_h * div_up(kernel_w, 4) * kOutputs * 4);
}

void pack_one_channel(const std::int8_t* w, std::int64_t n, std::int64_t kernel_h,
                      std::int64_t kernel_w, void* packed) {
  auto* to = static_cast<std::int8_t*>(packed);
  std::memset(to, 0, packed_one_channel_bytes(kernel_h, kernel_w));
  for (std::int64_t y = 0; y < kernel_h; ++y) {
    for (std::int64_t x = 0; x < kernel_w; x += 4, to += kOutputs * 4) {
      for (std::int64_t j = 0; j < n; ++j) {
        std::copy_n(w + (j * kernel_h + y) * kernel_w + x, std::min<std::int64_t>(4, kernel_w - x),
                    to + j * 4);
      }
    }
  }
}

void one_channel_scalar(const OneChannelArgs& args, std::uint8_t* c) {
  const Epilogue& e = args.epilogue;
  const auto* w = static_cast<const std::int8_t*>(args.packed_w);
  const std::int64_t groups = div_up(args.kernel_w, 4);
  const auto sum = [&](std::int64_t y, std::int64_t x, std::int64_t j) {
    auto acc = static_cast<std::uint32_t>(e.bias[j]);
    for (std::int64_t ky = 0; ky < args.kernel_h; ++ky) {
      for (std::int64_t kx = 0; kx < args.kernel_w; ++kx) {
        const std::int64_t weight = ((ky * groups + kx / 4) * kOutputs + j) * 4 + kx % 4;
        acc += static_cast<std::uint32_t>(args.a[(y + ky) * args.line + x + kx] * w[weight]);
      }
    }
    return static_cast<std::int32_t>(acc);
  };
  for (std::int64_t i = 0; i < args.rows; ++i) {
    for (std::int64_t p = 0; p < args.pixels; ++p) {
      for (std::int64_t j = 0; j < args.n; ++j) {
        const std::int32_t largest =
            std::max({sum(2 * i, 2 * p, j), sum(2 * i, 2 * p + 1, j), sum(2 * i + 1, 2 * p, j),
                      sum(2 * i + 1, 2 * p + 1, j)});
        *c++ = static_cast<std::uint8_t>(requantize_one(largest, {e.multiplier[j], e.shift[j]},
                                                        e.zero_point, e.clamp_min, e.clamp_max));
      }
    }
  }
}

}  // namespace octet::kernels
