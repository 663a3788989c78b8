// eval: accuracy, speed and proofs of a trained model. See --help.
#include <cxxopts.hpp>
#include <exception>
#include <iostream>
#include <optional>

#include "base/error.h"
#include "bench/peak.h"
#include "datasets/list_images.h"
#include "eval/arguments.h"
#include "eval/classify_images.h"
#include "eval/command_line.h"
#include "eval/compare_models.h"
#include "eval/confusion.h"
#include "eval/evaluate_module.h"
#include "eval/export_onnx.h"
#include "eval/float_agreement.h"
#include "eval/guarded_main.h"
#include "eval/load_data.h"
#include "eval/profile.h"
#include "eval/run_files.h"
#include "eval/spin_count.h"
#include "file/atomic_write.h"
#include "file/shell.h"
#include "ir/model_file.h"
#include "octet_version.h"
#include "qat/verify.h"

namespace octet {
namespace {

constexpr int kMissedFigure = 3;

constexpr char kExitCodes[] =
    "\nExit codes: 0 done; 1 an error; 2 wrong usage; 3 a required figure was missed.\n";

// The dataset's test set, or --images of it, in the place of the splits' test set.
DatasetSplits test_data(const Arguments& a, const RunFiles& files,
                        const std::optional<ir::Graph>& graph) {
  DataConfig request;
  if (files.config) {
    request = files.config->data;
  } else {
    // A model file does not say how its images were converted, but to which shape.
    request.name = graph->dataset;
    if (request.name == "image_folder") request.image_shape = graph->value(graph->input).shape;
  }
  if (!a.data.empty()) request.root = a.data;
  DatasetSplits splits = load_or_fetch(request, Splits::kTest);
  const std::string skipped = to_text(splits.skipped);
  if (!skipped.empty()) std::cerr << "octet: " << skipped << "\n";
  OCTET_CHECK(
      !graph || graph->class_names.empty() || graph->class_names == splits.test->class_names(),
      "the classes of ", request.name, " in ", request.root, " are not those of the model ",
      files.path, ": top-1 would mean nothing");
  if (a.images > 0 && a.images < splits.test->size()) {
    std::cerr << "octet: " << a.images << " of the " << splits.test->size() << " test images, "
              << (request.name == "image_folder" ? "spread evenly over the folder" : "the first")
              << "\n";
    splits.test = some_images(splits.test, request.name, a.images);
  }
  return splits;
}

int report(const Arguments& a, const EvaluatedForm& evaluated) {
  const Measurement& m = evaluated.measurement;
  const Dataset& test = *evaluated.data.test;
  const ConfusionMatrix confusion(labels_of(test), m.predictions, test.class_names());
  if (a.json) {
    nlohmann::ordered_json json = to_json(m);
    add_json(confusion, json);
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << to_table({m}) << "images " << m.images << "  threads " << m.threads << "  batch "
              << m.batch << "  isa " << m.isa << "\nlogits_sha256 " << m.logits_sha256 << "\n\n"
              << to_text(confusion);
  }
  if (a.require_top1 && m.top1() < *a.require_top1) {
    std::cerr << "error: top-1 is " << m.top1() << " %, below the required " << *a.require_top1
              << " %\n";
    return kMissedFigure;
  }
  return 0;
}

int verify(const Arguments& a, const RunFiles& files, const ir::Graph& graph,
           const DatasetSplits& data) {
  const auto model = load_prepared_model(files, data);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(data.test->size() * data.test->image_shape().numel()));
  for (std::int64_t i = 0; i < data.test->size(); ++i) {
    const Sample sample = data.test->get(i);
    pixels.insert(pixels.end(), sample.pixels.begin(), sample.pixels.end());
  }
  const qat::VerifyReport r = qat::verify(*model, graph, pixels,
                                          {.input = input_encoding(data.normalization),
                                           .batch_size = a.batch,
                                           .threads = a.threads,
                                           .isa = a.isa});
  // The twin and the engine share the parameters; what is wrong with these shows only here.
  const EvaluateOptions options{.batch = a.batch, .threads = a.threads, .isa = a.isa};
  const auto real = unquantized_copy(*model, *files.config, *data.test);
  const FloatAgreement agreement = compare_with_float(
      int8_form(graph, options), float_form(*real, data.test->image_shape(), options), data.test,
      data.normalization, a.batch);
  if (a.json) {
    nlohmann::ordered_json json = {{"model", graph.model},
                                   {"path", files.path.string()},
                                   {"images", r.images},
                                   {"tensors", r.tensors},
                                   {"elements", r.elements},
                                   {"mismatched", r.mismatched},
                                   {"max_lsb", r.max_lsb},
                                   {"threads", a.threads},
                                   {"isa", std::string(name_of(a.isa))},
                                   {"first_mismatch", r.first_mismatch}};
    json.update(to_json(agreement));
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << r.images << " images, " << r.tensors << " tensors each, " << r.elements
              << " elements compared between the fake-quantized model and the integer engine ("
              << name_of(a.isa) << "): " << r.mismatched << " differ, largest difference "
              << r.max_lsb << " LSB\n"
              << to_text(agreement) << "\n";
  }
  if (agreement.is_low()) std::cerr << "warning: " << warning_of(agreement) << "\n";
  if (r.mismatched == 0) return 0;
  std::cerr << "error: the integer engine differs from the fake-quantized model; first at "
            << r.first_mismatch << "\n";
  return kMissedFigure;
}

int profile(const Arguments& a) {
  const RunFiles files = open_run(a.path);
  const ProfileOptions options{.batch = a.batch, .threads = a.threads, .isa = a.isa};
  PeakWatch peak(a.form, a.isa);
  Profile profile;
  if (a.form == "int8") {
    profile = profile_int8(read_int8_graph(files), options);
  } else {
    require_run(files, a.form);
    const DatasetSplits data = test_data(a, files, std::nullopt);
    profile = profile_fp32(*load_float_model(files, data), files.config->model.name,
                           data.test->image_shape(), options);
  }
  peak.measure_again();
  if (!a.trace.empty()) atomic_write(a.trace, to_trace(profile).dump(1) + "\n");
  std::cout << (a.json ? to_json(profile, peak.gmac_per_s()).dump(2) + "\n"
                       : to_table(profile, peak.gmac_per_s()));
  return 0;
}

// What other programs have an option for.
std::string hint(const std::string& name, const std::string& value) {
  for (const char* word : {"model", "run", "resume", "path", "checkpoint", "weights", "image"}) {
    if (name != word) continue;
    return "; a model or an image is named without an option: eval " +
           (value.empty() ? "MODEL" : shell_quoted(value));
  }
  return "";
}

int run(Arguments a) {
  if (a.path.empty()) {
    a.path = newest_finished_run("runs");
    std::cerr << "octet: evaluating the newest run, " << a.path << "\n";
  }
  if (a.profile) return profile(a);
  const FindTestData find_test_data = [&](const RunFiles& files,
                                          const std::optional<ir::Graph>& graph) {
    return test_data(a, files, graph);
  };
  const EvaluateOptions options{.batch = a.batch, .threads = a.threads, .isa = a.isa};
  if (a.compare) {
    const ComparedModels models = compare_models(
        {a.path, a.form}, {a.compare->path.empty() ? a.path : a.compare->path, a.compare->form},
        find_test_data, options);
    std::cout << (a.json ? comparison_json(models).dump(2) + "\n" : comparison_table(models));
    return 0;
  }
  const bool is_form = a.form == "int8" || a.form == "fp32" || a.form == "fake-quant";
  if (is_form && a.image_files.empty() && a.onnx.file.empty()) {
    return report(a, evaluate_form({a.path, a.form}, find_test_data, options));
  }
  const RunFiles files = open_run(a.path);
  if (a.form == "fp32") {
    require_run(files, a.form);
    export_float_onnx(files, test_data(a, files, std::nullopt), a.onnx);
    return 0;
  }
  const ir::Graph graph = read_int8_graph(files);
  if (a.form == "describe") {
    std::cout << ir::to_text(graph);
    return 0;
  }
  if (a.form == "verify") {
    require_run(files, a.form);
    return verify(a, files, graph, test_data(a, files, graph));
  }
  if (!a.onnx.file.empty()) {
    export_int8_onnx(graph, a.onnx);
    return 0;
  }
  const auto images = classify_images(
      graph, a.image_files,
      {.top = a.top, .resize = a.resize, .batch = a.batch, .threads = a.threads, .isa = a.isa});
  std::cout << (a.json ? to_json(graph, images).dump(2) + "\n" : to_text(graph, images));
  return 0;
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  octet::limit_spinning(argv);
  return octet::guarded_main([&] {
    cxxopts::Options options = octet::make_options();
    const cxxopts::ParseResult parsed = octet::parse_command_line(options, argc, argv, octet::hint);
    if (parsed.count("help") > 0) {
      std::cout << options.help() << octet::kExitCodes;
      return 0;
    }
    if (parsed.count("version") > 0) {
      std::cout << "octet " << octet::kVersion << " (" << octet::kCommit << ")\n";
      return 0;
    }
    return octet::run(octet::read_arguments(parsed));
  });
}
