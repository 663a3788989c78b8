#include "kernels/u8s8/pooled_conv.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "base/integer_math.h"

namespace octet::kernels {
namespace {

constexpr PooledConvKernel kScalar = {"u8s8_pooled_conv_scalar", Isa::kScalar, 0, 16,
                                      pooled_conv_scalar};

// The best first.
constexpr PooledConvKernel kKernels[] = {
    kScalar,
#if defined(__x86_64__)
    {"u8s8_pooled_conv_16x6_avx512vnni", Isa::kAvx512Vnni, 1, 6,
     pooled_conv_one_channel_avx512vnni},
    {"u8s8_pooled_conv_20x16_avx512vnni", Isa::kAvx512Vnni, 0, 16, pooled_conv_avx512vnni},
#endif
};

}  // namespace

const PooledConvKernel* find_pooled_conv(Isa isa, std::int64_t channels, std::int64_t n) {
  const auto* kernel =
      std::find_if(std::begin(kKernels), std::end(kKernels),
                   [&](const PooledConvKernel& k) { return k.isa == isa && k.takes(channels, n); });
  return kernel == std::end(kKernels) ? nullptr : kernel;
}

std::size_t packed_pooled_conv_bytes(const PooledConvKernel& kernel, std::int64_t kernel_h,
                                     std::int64_t k) {
  return static_cast<std::size_t>(kernel_h * div_up(k, 4) * kernel.outputs * 4);
}

void pack_pooled_conv(const PooledConvKernel& kernel, const std::int8_t* w, std::int64_t n,
                      std::int64_t kernel_h, std::int64_t k, void* packed) {
  auto* to = static_cast<std::int8_t*>(packed);
  std::memset(to, 0, packed_pooled_conv_bytes(kernel, kernel_h, k));
  for (std::int64_t y = 0; y < kernel_h; ++y) {
    for (std::int64_t x = 0; x < k; x += 4, to += kernel.outputs * 4) {
      for (std::int64_t j = 0; j < n; ++j) {
        std::copy_n(w + (j * kernel_h + y) * k + x, std::min<std::int64_t>(4, k - x), to + j * 4);
      }
    }
  }
}

void pooled_conv_scalar(const PooledConvArgs& args, std::uint8_t* c) {
  const Epilogue& e = args.epilogue;
  const auto* w = static_cast<const std::int8_t*>(args.packed_w);
  const std::int64_t k = args.kernel_w * args.channels, groups = div_up(k, 4);
  const auto sum = [&](std::int64_t y, std::int64_t x, std::int64_t j) {
    auto acc = static_cast<std::uint32_t>(e.bias[j]);
    for (std::int64_t ky = 0; ky < args.kernel_h; ++ky) {
      const std::uint8_t* a = args.a + (y + ky) * args.line + x * args.channels;
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t weight = ((ky * groups + i / 4) * kScalar.outputs + j) * 4 + i % 4;
        acc += static_cast<std::uint32_t>(a[i] * w[weight]);
      }
    }
    return static_cast<std::int32_t>(acc);
  };
  for (std::int64_t r = 0; r < args.rows; ++r) {
    for (std::int64_t p = 0; p < args.pixels; ++p) {
      for (std::int64_t j = 0; j < args.n; ++j) {
        const std::int32_t largest =
            std::max({sum(2 * r, 2 * p, j), sum(2 * r, 2 * p + 1, j), sum(2 * r + 1, 2 * p, j),
                      sum(2 * r + 1, 2 * p + 1, j)});
        *c++ = static_cast<std::uint8_t>(requantize_one(largest, {e.multiplier[j], e.shift[j]},
                                                        e.zero_point, e.clamp_min, e.clamp_max));
      }
    }
  }
}

}  // namespace octet::kernels
