#include "kernels/u8s8/gemm.h"

#include <algorithm>

#include "base/error.h"

namespace octet::kernels {
namespace {

constexpr GemmKernel kKernels[] = {
#define OCTET_GEMM_KERNEL(NAME, ISA, ...) {#NAME, Isa::ISA, __VA_ARGS__, NAME, NAME},
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Writes one panel: columns [first, first + nr) of which those below n exist. Returns its end.
template <class Weight>
std::byte* pack_panel(const GemmKernel& kernel, const std::int8_t* w, std::int64_t first,
                      std::int64_t n, std::int64_t k, std::byte* out) {
  const auto at = [&](std::int64_t j, std::int64_t p) -> std::int8_t {
    return j < n && p < k ? w[j * k + p] : std::int8_t{0};
  };
  if (kernel.activation_offset != 0) {
    auto* sums = reinterpret_cast<std::int32_t*>(out);
    for (int j = 0; j < kernel.nr; ++j) {
      sums[j] = 0;
      for (std::int64_t p = 0; p < k; ++p) sums[j] += at(first + j, p);
      sums[j] *= kernel.activation_offset;
    }
    out = reinterpret_cast<std::byte*>(sums + kernel.nr);
  }
  auto* weights = reinterpret_cast<Weight*>(out);
  for (std::int64_t group = 0; group < k; group += kernel.kr) {
    for (int j = 0; j < kernel.nr; ++j) {
      for (int p = 0; p < kernel.kr; ++p) *weights++ = at(first + j, group + p);
    }
  }
  return reinterpret_cast<std::byte*>(weights);
}

}  // namespace

const GemmKernel& select_gemm(Isa isa) {
  const auto* kernel = std::find_if(std::begin(kKernels), std::end(kKernels),
                                    [&](const GemmKernel& k) { return k.isa == isa; });
  OCTET_CHECK(kernel != std::end(kKernels), "this build has no integer kernels for \"",
              name_of(isa), "\"");
  return *kernel;
}

std::size_t packed_weight_bytes(const GemmKernel& kernel, std::int64_t n, std::int64_t k) {
  const std::int64_t sums = kernel.activation_offset != 0 ? std::int64_t{4} * kernel.nr : 0;
  const std::int64_t weights =
      divide_up(k, kernel.kr) * kernel.kr * kernel.nr * kernel.weight_bytes;
  return static_cast<std::size_t>(divide_up(n, kernel.nr) * (sums + weights));
}

void pack_weights(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, std::int64_t k,
                  void* packed) {
  auto* out = static_cast<std::byte*>(packed);
  for (std::int64_t j = 0; j < n; j += kernel.nr) {
    out = kernel.weight_bytes == 1 ? pack_panel<std::int8_t>(kernel, w, j, n, k, out)
                                   : pack_panel<std::int16_t>(kernel, w, j, n, k, out);
  }
}

}  // namespace octet::kernels
