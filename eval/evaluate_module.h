#pragma once

#include <memory>

#include "eval/evaluate_int8.h"
#include "nn/module.h"

namespace octet {

// Runs a float model on the float engine, with batch norm folded into the weights, over a whole
// dataset. The rate counts FloatExecutor::run alone. The hash is over little-endian float32 logits;
// it depends on neither isa, threads nor batch.
Measurement evaluate_float(Module& model, std::shared_ptr<const Dataset> dataset,
                           const Normalization& normalization, const EvaluateOptions& options);

// Runs a prepared model in evaluation mode: the twin, whose int32 logits and hash equal those of
// the integer engine.
Measurement evaluate_fake_quant(Module& prepared, std::shared_ptr<const Dataset> dataset,
                                const Normalization& normalization, const EvaluateOptions& options);

}  // namespace octet
