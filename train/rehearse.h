#pragma once

#include "datasets/registry.h"
#include "io/config.h"
#include "nn/module.h"

namespace octet {

// Does with an untrained model what the end of a run does with the trained one (train/finish.h):
// packs its float form, and where the config quantizes, prepares it, calibrates it on noise,
// converts it and writes and reads its file in memory. So a layer without a float or integer form,
// or a name that a model file cannot hold, is known before the first step.
//   model: built, not prepared; its values are used up
// Throws Error that says which of the two ends would fail, and why.
void rehearse_end(Module& model, const Config& config, const DatasetSplits& data);

}  // namespace octet
