#pragma once

#include <functional>
#include <optional>
#include <string>

#include "eval/evaluate_int8.h"
#include "eval/run_files.h"

namespace octet {

// A run folder or model file, and which of its models: "int8", "fp32" or "fake-quant".
struct ModelForm {
  std::string path;
  std::string form;
};

// Finds the test images of a model; `graph` is there for form int8.
using FindTestData =
    std::function<DatasetSplits(const RunFiles& files, const std::optional<ir::Graph>& graph)>;

struct EvaluatedForm {
  Measurement measurement;
  DatasetSplits data;
};

// Evaluates one model. Throws UsageError for an unknown form, or one that the model does not have.
EvaluatedForm evaluate_form(const ModelForm& which, const FindTestData& find_test_data,
                            const EvaluateOptions& options);

// The integer graph of a run folder or model file. Throws UsageError if there is none.
ir::Graph read_int8_graph(const RunFiles& files);

// Throws UsageError if `files` is no run folder, which `form` needs.
void require_run(const RunFiles& files, const std::string& form);

}  // namespace octet
