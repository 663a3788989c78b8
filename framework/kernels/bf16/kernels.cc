#include "kernels/bf16/kernels.h"

namespace octet::kernels {

#define OCTET_BF16_KERNELS(name, isa, native, panel_columns)                    \
  void bf16_gemm_##name(const GemmF32Args&);                                    \
  void bf16_pair_rows_##name(std::int64_t, const float*, const float*, float*); \
  void bf16_pair_columns_##name(std::int64_t, std::int64_t, const float*, float*);
#include "kernels/bf16/kernels.inc"
#undef OCTET_BF16_KERNELS

namespace {

constexpr Bf16Kernels kKernels[] = {
#define OCTET_BF16_KERNELS(name, isa, native, panel_columns) \
  {#name,                                                    \
   Isa::isa,                                                 \
   native,                                                   \
   panel_columns,                                            \
   bf16_gemm_##name,                                         \
   bf16_pair_rows_##name,                                    \
   bf16_pair_columns_##name},
#include "kernels/bf16/kernels.inc"
#undef OCTET_BF16_KERNELS
};

}  // namespace

std::span<const Bf16Kernels> bf16_kernels() { return kKernels; }

const Bf16Kernels& select_bf16_kernels(Isa isa) {
  const Bf16Kernels* best = &kKernels[0];
  for (const Bf16Kernels& kernels : kKernels) {
    if (isa_includes(isa, kernels.isa) && kernels.available()) best = &kernels;
  }
  return *best;
}

}  // namespace octet::kernels
