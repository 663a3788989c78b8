#pragma once

#include <functional>
#include <optional>
#include <string>

#include "eval/evaluate_int8.h"
#include "eval/mcnemar.h"
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

struct ComparedModels {
  Measurement a, b;
  Comparison comparison;
};

// Evaluates two models on the same test set. Throws UsageError for an unknown form, or one that a
// model does not have, and if the test sets are not the same.
ComparedModels compare_models(const ModelForm& a, const ModelForm& b,
                              const FindTestData& find_test_data, const EvaluateOptions& options);

// What `eval --compare` prints: one JSON object, and the table for people.
nlohmann::ordered_json comparison_json(const ComparedModels& models);
std::string comparison_table(const ComparedModels& models);

}  // namespace octet
