#pragma once

#include <functional>

#include "base/cpu.h"
#include "data/dataset.h"
#include "eval/measurement.h"
#include "ir/graph.h"

namespace octet {

struct EvaluateOptions {
  std::int64_t batch = 64;
  int threads = 1;
  Isa isa = Isa::kScalar;
  std::int64_t latency_images = 1000;  // measured one by one; 0 leaves the latency out
  // Called before each batch, by the thread that evaluates: what it throws ends the evaluation.
  std::function<void()> before_batch = [] {};
};

// Runs an integer graph over a whole dataset: accuracy, rate, latency at batch 1, and the hash of
// the logits, which depends on neither isa, threads nor batch. The rate counts Executor::run alone.
// Throws Error if the images do not have the graph's input shape.
Measurement evaluate_int8(const ir::Graph& graph, const Dataset& dataset,
                          const EvaluateOptions& options);

// Index of the largest logit; the lowest index wins ties.
template <class T>
std::int32_t argmax(const T* logits, std::int64_t classes) {
  std::int64_t best = 0;
  for (std::int64_t c = 1; c < classes; ++c) {
    if (logits[c] > logits[best]) best = c;
  }
  return static_cast<std::int32_t>(best);
}

}  // namespace octet
