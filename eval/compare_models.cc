#include "eval/compare_models.h"

#include <cstdio>

#include "base/error.h"
#include "eval/evaluate_module.h"
#include "io/checkpoint.h"
#include "ir/model_file.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

struct Evaluated {
  Measurement measurement;
  DatasetSplits data;
};

Measurement with_file(Measurement m, const RunFiles& files, const fs::path& file) {
  m.path = file;
  m.file_bytes = fs::file_size(file);
  if (m.model.empty()) m.model = files.config->model.name;
  return m;
}

Evaluated evaluate_form(const ModelForm& which, const FindTestData& find_test_data,
                        const EvaluateOptions& options) {
  const RunFiles files = open_run(which.path);
  if (which.form == "int8") {
    if (!fs::exists(files.int8_file)) {
      throw UsageError(message(files.int8_file, " does not exist: ", files.path,
                               " has no integer model; compare its float model: "
                               "--compare-form fp32"));
    }
    const ir::Graph graph = ir::read_model(files.int8_file);
    DatasetSplits data = find_test_data(files, graph);
    return {with_file(evaluate_int8(graph, *data.test, options), files, files.int8_file), data};
  }
  if (which.form != "fp32" && which.form != "fake-quant") {
    throw UsageError(
        message("models are compared as int8, fp32 or fake-quant, not as \"", which.form, "\""));
  }
  if (!files.run) {
    throw UsageError(
        message(which.form, " needs a run folder; ", files.path, " is an integer model"));
  }
  DatasetSplits data = find_test_data(files, std::nullopt);
  if (which.form == "fp32") {
    const auto model = load_float_model(files, data);
    return {with_file(evaluate_float(*model, data.test, data.normalization, options), files,
                      *files.run / kFp32File),
            data};
  }
  const auto model = load_prepared_model(files, data);
  return {with_file(evaluate_fake_quant(*model, data.test, data.normalization, options), files,
                    *files.run / kCheckpointName),
          data};
}

}  // namespace

ComparedModels compare_models(const ModelForm& a, const ModelForm& b,
                              const FindTestData& find_test_data, const EvaluateOptions& options) {
  Evaluated first = evaluate_form(a, find_test_data, options);
  Evaluated second = evaluate_form(b, find_test_data, options);
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
  char p[32];
  std::snprintf(p, sizeof(p), "%.4g", c.mcnemar_p);
  return message(to_table({models.a, models.b}), "a ", models.a.path, "\nb ", models.b.path,
                 "\nimages ", c.images, "  same prediction ", c.same_prediction,
                 "  only a correct ", c.only_a_correct, "  only b correct ", c.only_b_correct,
                 "\nMcNemar's test, exact and two-sided: p = ", p, "\n");
}

}  // namespace octet
