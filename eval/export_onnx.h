#pragma once

#include <optional>
#include <string>

#include "eval/run_files.h"
#include "ir/graph.h"
#include "onnx/export.h"

namespace octet {

// What `eval --export-onnx` was asked for.
struct OnnxRequest {
  std::string file;                  // empty: nothing
  std::optional<OnnxPreset> preset;  // of an integer model; none: kQdq
};

// "qdq" or "tensorrt". Throws UsageError for any other word.
OnnxPreset onnx_preset_from_name(const std::string& name);

// Write the ONNX file atomically and say on stdout what it is and what to know of it.
void export_int8_onnx(const ir::Graph& graph, const OnnxRequest& request);
// Throws UsageError if the request has a preset: float models have none.
void export_float_onnx(const RunFiles& files, const DatasetSplits& data,
                       const OnnxRequest& request);

}  // namespace octet
