#pragma once

#include <span>

#include "base/cpu.h"
#include "kernels/f32/batch_norm_args.h"
#include "kernels/f32/gemm.h"
#include "kernels/f32/winners.h"

namespace octet::kernels {

// The float kernels of one instruction set.
struct F32Kernels {
  const char* name;
  Isa isa;
  std::int64_t panel_columns;  // of gemm's widest tile; no result depends on it (pack.h)
  GemmF32Function gemm;
  ReluBackwardFunction relu_backward;
  BatchNormStatisticsFunction batch_norm_statistics;
  BatchNormForwardFunction batch_norm_forward;
  BatchNormBackwardFunction batch_norm_backward;
  HalveFunction halve;
  HalveFunction halve_planes;
  HalveBackwardFunction halve_backward;
  WinnerPlacesFunction winner_places;
  WinnerListsFunction winner_lists;
  WinnerBiasFunction winner_bias;
  WinnerSumsFunction winner_sums;
  WinnerSpreadFunction winner_spread;
};

// All that this build has, scalar first. Which of them may run: cpu_supports(kernels.isa).
std::span<const F32Kernels> f32_kernels();

// The best ones that may run under the cap `isa` (base/cpu.h, isa_includes). Training asks with
// process_isa().
const F32Kernels& select_f32_kernels(Isa isa);

}  // namespace octet::kernels
