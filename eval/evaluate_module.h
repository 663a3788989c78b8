#pragma once

#include <memory>

#include "eval/evaluate_int8.h"
#include "nn/module.h"

namespace octet {

// A float model on the float engine, with batch norm folded into the weights, for the instruction
// set of the process.
EvaluatedModel float_form(Module& model, const Shape& image_shape, const EvaluateOptions& options);

// Evaluates a float model. The hash is over little-endian float32 logits; it depends on neither
// isa, threads nor batch.
Measurement evaluate_float(Module& model, std::shared_ptr<const Dataset> dataset,
                           const Normalization& normalization, const EvaluateOptions& options);

// Evaluates a prepared model in evaluation mode: the twin, whose int32 logits and hash equal those
// of the integer engine.
Measurement evaluate_fake_quant(Module& prepared, std::shared_ptr<const Dataset> dataset,
                                const Normalization& normalization, const EvaluateOptions& options);

}  // namespace octet
