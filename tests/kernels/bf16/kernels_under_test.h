#pragma once

#include <vector>

#include "kernels/bf16/kernels.h"

namespace octet::kernels {

#if defined(__x86_64__)
// gemm_avx512bf16_as_avx2.cc
void bf16_gemm_avx512bf16_as_avx2(const GemmF32Args&);
void bf16_pair_rows_avx512bf16_as_avx2(std::int64_t, const float*, const float*, float*);
void bf16_pair_columns_avx512bf16_as_avx2(std::int64_t, std::int64_t, const float*, float*);
#endif

// Every kernel of the list that this CPU can run, scalar first, and the AVX-512 BF16 one in AVX2's
// words.
inline std::vector<Bf16Kernels> bf16_kernels_under_test() {
  std::vector<Bf16Kernels> all;
  for (const Bf16Kernels& kernels : bf16_kernels()) {
    if (kernels.available()) all.push_back(kernels);
  }
#if defined(__x86_64__)
  if (cpu_supports(Isa::kAvx2)) {
    all.push_back({"avx512bf16 as avx2", Isa::kAvx2, false, 64, bf16_gemm_avx512bf16_as_avx2,
                   bf16_pair_rows_avx512bf16_as_avx2, bf16_pair_columns_avx512bf16_as_avx2});
  }
#endif
  return all;
}

}  // namespace octet::kernels
