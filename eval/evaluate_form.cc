#include "eval/evaluate_form.h"

#include "base/error.h"
#include "eval/evaluate_module.h"
#include "io/checkpoint.h"
#include "ir/model_file.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

Measurement with_file(Measurement m, const RunFiles& files, const fs::path& file) {
  m.path = file;
  m.file_bytes = fs::file_size(file);
  if (m.model.empty()) m.model = files.config->model.name;
  return m;
}

}  // namespace

ir::Graph read_int8_graph(const RunFiles& files) {
  if (!fs::exists(files.int8_file)) {
    throw UsageError(message(files.int8_file,
                             " does not exist: this run has no integer model; train with "
                             "quantize.method: ptq or qat, or evaluate its float model: fp32"));
  }
  return ir::read_model(files.int8_file);
}

void require_run(const RunFiles& files, const std::string& form) {
  if (files.run) return;
  throw UsageError(message(form, " needs a run folder; ", files.path, " is one model file"));
}

EvaluatedForm evaluate_form(const ModelForm& which, const FindTestData& find_test_data,
                            const EvaluateOptions& options) {
  if (which.form != "int8" && which.form != "fp32" && which.form != "fake-quant") {
    throw UsageError(
        message("models are evaluated as int8, fp32 or fake-quant, not as \"", which.form, "\""));
  }
  const RunFiles files = open_run(which.path);
  if (which.form == "int8") {
    const ir::Graph graph = read_int8_graph(files);
    const DatasetSplits data = find_test_data(files, graph);
    return {with_file(evaluate_int8(graph, *data.test, options), files, files.int8_file), data};
  }
  require_run(files, which.form);
  const DatasetSplits data = find_test_data(files, std::nullopt);
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

}  // namespace octet
