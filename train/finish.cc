#include "train/finish.h"

#include <iostream>
#include <vector>

#include "eval/evaluate_int8.h"
#include "eval/evaluate_module.h"
#include "eval/load_data.h"
#include "eval/mcnemar.h"
#include "eval/run_files.h"
#include "io/weights.h"
#include "ir/model_file.h"
#include "qat/convert.h"
#include "train/run_folder.h"
#include "train/signals.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

Measurement with_file(Measurement m, const FinishedRun& run, const char* file) {
  m.model = run.config.model.name;
  m.path = run.lock.files().path_of(file);
  m.file_bytes = fs::file_size(m.path);
  return m;
}

}  // namespace

ir::Graph convert_model(const Config& config, const DatasetSplits& data, Module& model) {
  return qat::convert(model, {.model = config.model.name,
                              .dataset = config.data.name,
                              .class_names = data.train->class_names(),
                              .image_shape = data.train->image_shape(),
                              .input = input_encoding(data.normalization)});
}

void finish_run(const FinishedRun& run, Module& model) {
  const fs::path folder = run.lock.folder();
  run.lock.check_in_place();  // files are read by its path
  const EvaluateOptions options{
      .threads = run.threads, .isa = process_isa(), .before_batch = stop_if_asked};
  std::vector<Measurement> rows;
  const auto float_model = load_float_model(open_run(folder), run.data);
  rows.push_back(
      with_file(evaluate_float(*float_model, run.data.test, run.data.normalization, options), run,
                kFp32File));

  const bool quantized = run.config.quantize.method != QuantizeConfig::Method::kNone;
  if (quantized) {
    run.lock.write(kInt8File, ir::serialize_model(convert_model(run.config, run.data, model)));
    const ir::Graph graph = ir::read_model(folder / kInt8File);
    rows.push_back(evaluate_fake_quant(model, run.data.test, run.data.normalization, options));
    rows.back().model = run.config.model.name;
    rows.push_back(with_file(evaluate_int8(graph, *run.data.test, options), run, kInt8File));
    OCTET_CHECK(rows[1].logits_sha256 == rows[2].logits_sha256,
                "the fake-quantized model and the integer engine give ",
                "different logits; find the layer with: ./octet eval ", folder.string(),
                " --verify");
  }

  nlohmann::ordered_json summary;
  summary["name"] = run.config.run.name;
  summary["seed"] = run.config.run.seed;
  summary["model"] = run.config.model.name;
  summary["dataset"] = run.config.data.name;
  summary["quantize_method"] = std::string(name_of(run.config.quantize.method));
  summary["weights_sha256"] = weights_sha256(state_tensors(model));
  summary["logits_sha256"] = rows.back().logits_sha256;
  for (const Measurement& m : rows) {
    summary[m.form == "fake-quant" ? "fake_quant" : (m.form == "float" ? "fp32" : "int8")] =
        to_json(m);
  }
  if (quantized) {  // a: the float model, b: the integer model
    summary["fp32_vs_int8"] =
        to_json(compare(rows[0].predictions, rows[2].predictions, labels_of(*run.data.test)));
  }
  summary["steps"] = run.state.total_steps;
  summary["train_images_per_second"] =
      run.state.train_seconds > 0.0
          ? static_cast<double>(run.state.train_images) / run.state.train_seconds
          : 0.0;
  summary["train_seconds"] = run.state.train_seconds;
  summary["wall_seconds"] = run.state.wall_seconds;
  summary["resumed_at_steps"] = run.state.resumed_at_steps;
  write_json(run.lock, kSummaryFile, summary);

  std::cout << to_table(rows) << "\nrun folder  " << folder.string()
            << "\nnext        ./octet eval " << folder.string()
            << (quantized ? " --verify" : " --fp32") << "\n";
}

}  // namespace octet
