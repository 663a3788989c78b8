#pragma once

#include <string>

#include "eval/evaluate_form.h"
#include "eval/mcnemar.h"

namespace octet {

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
