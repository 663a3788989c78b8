#pragma once

#include <vector>

#include "kernels/bf16/kernels.h"

namespace octet::kernels {

// Every kernel of the list that this CPU can run, scalar first.
inline std::vector<Bf16Kernels> bf16_kernels_under_test() {
  std::vector<Bf16Kernels> all;
  for (const Bf16Kernels& kernels : bf16_kernels()) {
    if (kernels.available()) all.push_back(kernels);
  }
  return all;
}

}  // namespace octet::kernels
