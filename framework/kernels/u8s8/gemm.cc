#include "kernels/u8s8/gemm.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/u8s8/copied_rows.h"

namespace octet::kernels {
namespace {

constexpr GemmKernel kKernels[] = {
#define OCTET_GEMM_KERNEL(NAME, ISA, ...) {#NAME, Isa::ISA, __VA_ARGS__, NAME, NAME},
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

const GemmKernel& select_gemm(Isa isa) {
  const auto* kernel = std::find_if(std::begin(kKernels), std::end(kKernels),
                                    [&](const GemmKernel& k) { return k.isa == isa; });
  OCTET_CHECK(kernel != std::end(kKernels), "this build has no integer kernels for \"",
              name_of(isa), "\"");
  return *kernel;
}

std::size_t packed_weight_bytes(const GemmKernel& kernel, std::int64_t n, const PackedK& k) {
  return static_cast<std::size_t>(divide_up(n, kernel.nr) * kernel.nr * k.panel_k());
}

void pack_weights(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, const PackedK& k,
                  void* packed) {
  auto* out = static_cast<std::int8_t*>(packed);
  for (std::int64_t first = 0; first < n; first += kernel.nr) {
    for (std::int64_t piece = 0; piece < k.k; piece += k.piece) {
      for (std::int64_t group = 0; group < k.piece; group += kernel.kr) {
        for (std::int64_t j = first; j < first + kernel.nr; ++j) {
          for (std::int64_t p = group; p < group + kernel.kr; ++p) {
            *out++ = j < n && p < k.piece ? w[j * k.k + piece + p] : std::int8_t{0};
          }
        }
      }
    }
  }
}

std::size_t gemm_scratch_bytes(const GemmKernel& kernel, std::int64_t m, std::int64_t panel_k) {
  return static_cast<std::size_t>(m * copied_row_stride(panel_k) * kernel.copied_bytes);
}

}  // namespace octet::kernels
