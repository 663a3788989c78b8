#include "train/finish.h"

#include <algorithm>
#include <iostream>
#include <optional>
#include <vector>

#include "eval/confusion.h"
#include "eval/evaluate_int8.h"
#include "eval/evaluate_module.h"
#include "eval/float_agreement.h"
#include "eval/load_data.h"
#include "eval/mcnemar.h"
#include "eval/run_files.h"
#include "file/shell.h"
#include "io/weights.h"
#include "ir/model_file.h"
#include "qat/convert.h"
#include "qat/verify.h"
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

// The first images of the test set on which every integer model is proved, at least.
constexpr std::int64_t kProvedImages = 256;

struct Proof {
  qat::VerifyReport twin;
  FloatAgreement real;
};

// Compares the integer graph with the twin in every tensor and, if they agree, with the float model
// in its logits.
Proof prove(const FinishedRun& run, Module& model, const ir::Graph& graph,
            const EvaluateOptions& options) {
  const std::shared_ptr<const Dataset> images =
      some_images(run.data.test, run.config.data.name, kProvedImages);
  std::vector<std::uint8_t> pixels;
  for (std::int64_t i = 0; i < images->size(); ++i) {
    const Sample sample = images->get(i);
    pixels.insert(pixels.end(), sample.pixels.begin(), sample.pixels.end());
  }
  Proof proof;
  proof.twin = qat::verify(model, graph, pixels,
                           {.input = input_encoding(run.data.normalization),
                            .batch_size = options.batch,
                            .threads = options.threads,
                            .isa = options.isa});
  if (proof.twin.mismatched > 0) return proof;
  const RunFiles files = open_run(run.lock.folder());  // whose ONNX file is the run's own copy
  const auto real = unquantized_copy(model, *files.config, *run.data.train);
  proof.real = compare_with_float(int8_form(graph, options),
                                  float_form(*real, images->image_shape(), options), images,
                                  run.data.normalization, options.batch);
  return proof;
}

bool wants(const FinishedRun& run, EvalConfig::Form form) {
  const auto& forms = run.config.eval.forms;
  return std::find(forms.begin(), forms.end(), form) != forms.end();
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
  using Form = EvalConfig::Form;
  const fs::path folder = run.lock.folder();
  run.lock.check_in_place();  // files are read by its path
  const EvaluateOptions options{
      .threads = run.threads, .isa = process_isa(), .before_batch = stop_if_asked};
  const std::int64_t count = run.config.eval.images;
  const std::shared_ptr<const Dataset> test =
      count == 0 ? run.data.test : some_images(run.data.test, run.config.data.name, count);
  std::optional<Measurement> real, twin, int8;
  if (wants(run, Form::kFloat)) {
    const auto float_model = load_float_model(open_run(folder), run.data);
    real = with_file(evaluate_float(*float_model, test, run.data.normalization, options), run,
                     kFp32File);
  }

  const bool quantized = run.config.quantize.method != QuantizeConfig::Method::kNone;
  std::optional<Proof> proof;
  if (quantized) {
    // The file gets its name when all that is known of the model is right.
    const fs::path file = folder / kInt8File;
    const auto require = [&](bool agree, const auto&... difference) {
      if (agree) return;
      fs::remove(file);  // which an earlier attempt may have left
      throw Error(message("the integer model differs from the fake-quantized one ", difference...,
                          "; ", kInt8File, " is not written. This is a fault of Octet: please ",
                          "report it, with the run's ", kConfigFile));
    };
    const std::vector<std::byte> bytes =
        ir::serialize_model(convert_model(run.config, run.data, model));
    const ir::Graph graph = ir::parse_model(bytes, file);
    proof = prove(run, model, graph, options);
    require(proof->twin.mismatched == 0, "in ", proof->twin.mismatched, " elements, first at ",
            proof->twin.first_mismatch);
    if (wants(run, Form::kFakeQuant)) {
      twin = evaluate_fake_quant(model, test, run.data.normalization, options);
      twin->model = run.config.model.name;
    }
    if (wants(run, Form::kInt8)) int8 = evaluate_int8(graph, *test, options);
    require(!twin || !int8 || twin->logits_sha256 == int8->logits_sha256, "in its logits");
    run.lock.write(kInt8File, bytes);
    if (int8) int8 = with_file(std::move(*int8), run, kInt8File);
    if (proof->real.is_low()) std::cerr << "warning: " << warning_of(proof->real) << "\n";
  }
  std::vector<Measurement> rows;
  for (const std::optional<Measurement>* m : {&real, &twin, &int8}) {
    if (*m) rows.push_back(**m);
  }

  nlohmann::ordered_json summary;
  summary["name"] = run.config.run.name;
  summary["seed"] = run.config.run.seed;
  summary["model"] = run.config.model.name;
  summary["dataset"] = run.config.data.name;
  summary["quantize_method"] = std::string(name_of(run.config.quantize.method));
  summary["weights_sha256"] = weights_sha256(state_tensors(model));
  if (!rows.empty()) summary["logits_sha256"] = rows.back().logits_sha256;
  for (const Measurement& m : rows) {
    summary[m.form == "fake-quant" ? "fake_quant" : (m.form == "float" ? "fp32" : "int8")] =
        to_json(m);
  }
  if (real && int8) {  // a: the float model, b: the integer model
    summary["fp32_vs_int8"] =
        to_json(compare(real->predictions, int8->predictions, labels_of(*test)));
  }
  if (proof) {
    nlohmann::ordered_json& json = summary["proof"];
    json = {{"images", proof->twin.images},
            {"elements", proof->twin.elements},
            {"mismatched", proof->twin.mismatched}};
    json.update(to_json(proof->real));
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

  std::cout << to_table(rows);
  if (proof) {
    std::cout << "fake-quant and int8 agree in all " << proof->twin.elements << " elements of "
              << proof->twin.images << " test images\n"
              << to_text(proof->real) << "\n";
  }
  if (!rows.empty()) {
    const ConfusionMatrix confusion(labels_of(*test), rows.back().predictions, test->class_names());
    std::cout << "\n" << to_short_text(confusion);
  }
  std::cout << "\nrun folder  " << folder.string() << "\nnext        ./octet eval "
            << shell_quoted(folder.string()) << (quantized ? " --verify" : " --fp32") << "\n";
}

}  // namespace octet
