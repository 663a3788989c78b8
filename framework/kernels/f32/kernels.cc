#include "kernels/f32/kernels.h"

namespace octet::kernels {

#define OCTET_F32_KERNELS(name, isa, panel_columns)                                            \
  void f32_gemm_##name(const GemmF32Args&);                                                    \
  void f32_relu_backward_##name(std::int64_t, std::int64_t, std::ptrdiff_t, const float*,      \
                                const float*, float*);                                         \
  void f32_batch_norm_statistics_##name(std::int64_t, std::int64_t, const float*, float*);     \
  void f32_batch_norm_forward_##name(const BatchNormForwardArgs&);                             \
  void f32_batch_norm_backward_##name(const BatchNormBackwardArgs&);                           \
  void f32_halve_##name(std::int64_t, std::int64_t, std::int64_t, const float*, float*,        \
                        std::uint8_t*);                                                        \
  void f32_halve_planes_##name(std::int64_t, std::int64_t, std::int64_t, const float*, float*, \
                               std::uint8_t*);                                                 \
  void f32_halve_backward_##name(std::int64_t, std::int64_t, int, const float*, const float*,  \
                                 const std::uint8_t*, float*);                                 \
  std::int64_t f32_winner_places_##name(const WinnerPlacesArgs&, float*, std::uint32_t*);      \
  void f32_winner_lists_##name(const WinnerListsArgs&);                                        \
  void f32_winner_bias_##name(const WinnerBiasArgs&);                                          \
  void f32_winner_sums_##name(const WinnerSumsArgs&);                                          \
  void f32_winner_spread_##name(const WinnerSpreadArgs&);
#include "kernels/f32/kernels.inc"
#undef OCTET_F32_KERNELS

namespace {

constexpr F32Kernels kKernels[] = {
#define OCTET_F32_KERNELS(name, isa, panel_columns) \
  {#name,                                           \
   Isa::isa,                                        \
   panel_columns,                                   \
   f32_gemm_##name,                                 \
   f32_relu_backward_##name,                        \
   f32_batch_norm_statistics_##name,                \
   f32_batch_norm_forward_##name,                   \
   f32_batch_norm_backward_##name,                  \
   f32_halve_##name,                                \
   f32_halve_planes_##name,                         \
   f32_halve_backward_##name,                       \
   f32_winner_places_##name,                        \
   f32_winner_lists_##name,                         \
   f32_winner_bias_##name,                          \
   f32_winner_sums_##name,                          \
   f32_winner_spread_##name},
#include "kernels/f32/kernels.inc"
#undef OCTET_F32_KERNELS
};

}  // namespace

std::span<const F32Kernels> f32_kernels() { return kKernels; }

const F32Kernels& select_f32_kernels(Isa isa) {
  const F32Kernels* best = &kKernels[0];
  for (const F32Kernels& kernels : kKernels) {
    if (isa_includes(isa, kernels.isa)) best = &kernels;
  }
  return *best;
}

}  // namespace octet::kernels
