#pragma once

#include <cstdint>

#include "data/loader.h"
#include "nn/module.h"

namespace octet {

// Recomputes the running statistics of every batch norm of a float model: the exact average, each
// batch with the same weight, of the means and unbiased variances of the loader's first `batches`
// batches (all, if it has fewer), each normalized by its own statistics. For weights that training
// has not seen, such as an average of weights: what ran along belongs to other weights.
//   Izmailov et al. 2018 (arXiv:1803.05407), sec. 3.3; torch.optim.swa_utils.update_bn
// What was there before has no influence; parameters, mode and dropout stay as they are (nothing is
// dropped). Throws Error if the model was prepared, or there is no batch.
void reestimate_bn_stats(Module& model, const DataLoader& loader, std::int64_t batches);

}  // namespace octet
