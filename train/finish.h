#pragma once

#include "datasets/registry.h"
#include "io/config.h"
#include "io/run_lock.h"
#include "ir/graph.h"
#include "nn/module.h"
#include "train/run_state.h"

namespace octet {

struct FinishedRun {
  const RunLock& lock;
  const Config& config;
  const DatasetSplits& data;
  const RunState& state;
  int threads = 1;
};

// The integer graph of a model that was prepared and calibrated, named as the config says.
ir::Graph convert_model(const Config& config, const DatasetSplits& data, Module& model);

// The last act of a run: converts the trained model (prepared, unless quantize.method is none),
// compares the integer model with the twin in every tensor on 256 test images or all, evaluates the
// forms that config.eval names, and only then writes model_int8.safetensors; writes summary.json,
// and prints the table, the folder and the next command on stdout. Throws Error if the twin and the
// integer engine do not agree, and Interrupted (signals.h) after a signal, between two batches:
// nothing is half written then.
void finish_run(const FinishedRun& run, Module& model);

}  // namespace octet
