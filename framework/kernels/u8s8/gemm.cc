#include "kernels/u8s8/gemm.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/integer_math.h"
#include "kernels/u8s8/copied_rows.h"

namespace octet::kernels {
namespace {

constexpr GemmKernel kKernels[] = {
#define OCTET_GEMM_KERNEL(NAME, DEPTHWISE, ISA, ...) \
  {#NAME, #DEPTHWISE, Isa::ISA, __VA_ARGS__, NAME, NAME, DEPTHWISE},
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL
};

// Groups of Kr, the kernel's kr. Eight weights of a channel are read at once where there are as
// many, and become 8 / Kr groups.
template <int Kr>
void pack_groups(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, const PackedK& k,
                 std::int8_t* out) {
  const std::int64_t step = kernel.nr * Kr;  // from one group to the next
  for (std::int64_t first = 0; first < n; first += kernel.nr) {
    const std::int64_t channels = std::min<std::int64_t>(kernel.nr, n - first);
    for (std::int64_t piece = 0; piece < k.k; piece += k.piece) {
      const std::int8_t* from = w + first * k.k + piece;
      std::int64_t at = 0;
      for (; at + 8 <= k.piece; at += 8, out += 8 / Kr * step) {
        for (std::int64_t j = 0; j < channels; ++j) {
          std::int8_t eight[8];
          std::memcpy(eight, from + j * k.k + at, 8);
          for (int g = 0; g < 8 / Kr; ++g) std::memcpy(out + g * step + j * Kr, eight + g * Kr, Kr);
        }
        for (int g = 0; g < 8 / Kr; ++g) {
          std::fill(out + g * step + channels * Kr, out + (g + 1) * step, std::int8_t{0});
        }
      }
      for (; at < k.piece; at += Kr, out += step) {
        std::fill_n(out, step, std::int8_t{0});
        const std::int64_t here = std::min<std::int64_t>(Kr, k.piece - at);
        for (std::int64_t j = 0; j < channels; ++j) {
          std::copy_n(from + j * k.k + at, here, out + j * Kr);
        }
      }
    }
  }
}

}  // namespace

const GemmKernel& select_gemm(Isa isa) {
  const auto* kernel = std::find_if(std::begin(kKernels), std::end(kKernels),
                                    [&](const GemmKernel& k) { return k.isa == isa; });
  OCTET_CHECK(kernel != std::end(kKernels), "this build has no integer kernels for \"",
              name_of(isa), "\"");
  return *kernel;
}

std::size_t packed_weight_bytes(const GemmKernel& kernel, std::int64_t n, const PackedK& k) {
  return static_cast<std::size_t>(div_up(n, kernel.nr) * kernel.nr * k.panel_k());
}

void pack_weights(const GemmKernel& kernel, const std::int8_t* w, std::int64_t n, const PackedK& k,
                  void* packed) {
  switch (kernel.kr) {
    case 1:
      return pack_groups<1>(kernel, w, n, k, static_cast<std::int8_t*>(packed));
    case 2:
      return pack_groups<2>(kernel, w, n, k, static_cast<std::int8_t*>(packed));
    case 4:
      return pack_groups<4>(kernel, w, n, k, static_cast<std::int8_t*>(packed));
    default:
      throw Error(message("no packing of weights in groups of ", kernel.kr));
  }
}

std::size_t gemm_scratch_bytes(const GemmKernel& kernel, std::int64_t m, std::int64_t panel_k) {
  return static_cast<std::size_t>(m * copied_row_stride(panel_k) * kernel.copied_bytes);
}

}  // namespace octet::kernels
