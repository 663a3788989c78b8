#include "eval/compare_models.h"

#include "base/error.h"
#include "base/text.h"

namespace octet {

ComparedModels compare_models(const ModelForm& a, const ModelForm& b,
                              const FindTestData& find_test_data, const EvaluateOptions& options) {
  EvaluatedForm first = evaluate_form(a, find_test_data, options);
  EvaluatedForm second = evaluate_form(b, find_test_data, options);
  if (first.data.test->sha256() != second.data.test->sha256()) {
    throw UsageError(message(a.path, " and ", b.path,
                             " have different test sets: their predictions cannot be compared"));
  }
  const Comparison comparison = compare(
      first.measurement.predictions, second.measurement.predictions, labels_of(*first.data.test));
  return {std::move(first.measurement), std::move(second.measurement), comparison};
}

nlohmann::ordered_json comparison_json(const ComparedModels& models) {
  nlohmann::ordered_json json = {{"a", to_json(models.a)}, {"b", to_json(models.b)}};
  json.update(to_json(models.comparison));
  return json;
}

std::string comparison_table(const ComparedModels& models) {
  const Comparison& c = models.comparison;
  const std::string p = format("%.4g", c.mcnemar_p);
  return message(to_table({models.a, models.b}), "a ", models.a.path, "\nb ", models.b.path,
                 "\nimages ", c.images, "  same prediction ", c.same_prediction,
                 "  only a correct ", c.only_a_correct, "  only b correct ", c.only_b_correct,
                 "\nMcNemar's test, exact and two-sided: p = ", p, "\n");
}

}  // namespace octet
