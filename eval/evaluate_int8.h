#pragma once

#include "data/dataset.h"
#include "eval/evaluate.h"
#include "ir/graph.h"

namespace octet {

// An integer graph on the engine, packed for options.isa. It takes the pixels of a batch.
EvaluatedModel int8_form(const ir::Graph& graph, const EvaluateOptions& options);

// Evaluates an integer graph. The hash of the logits depends on neither isa, threads nor batch.
// Throws Error if the images do not have the graph's input shape.
Measurement evaluate_int8(const ir::Graph& graph, const Dataset& dataset,
                          const EvaluateOptions& options);

}  // namespace octet
