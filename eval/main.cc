// eval: accuracy, speed and proofs of a trained model. See --help.
#include <cxxopts.hpp>
#include <exception>
#include <iostream>
#include <optional>

#include "base/error.h"
#include "base/parallel.h"
#include "bench/peak.h"
#include "data/in_memory.h"
#include "eval/classify_images.h"
#include "eval/compare_models.h"
#include "eval/evaluate_int8.h"
#include "eval/evaluate_module.h"
#include "eval/export_onnx.h"
#include "eval/guarded_main.h"
#include "eval/load_data.h"
#include "eval/profile.h"
#include "eval/run_files.h"
#include "file/atomic_write.h"
#include "io/checkpoint.h"
#include "ir/model_file.h"
#include "octet_version.h"
#include "qat/verify.h"

namespace octet {
namespace {

constexpr int kMissedFigure = 3;

struct Arguments {
  std::string path;
  std::vector<std::string> image_files;  // to classify, instead of the test set
  int top = 3;
  bool resize = false;
  std::string trace;          // the file that --trace names
  std::string form = "int8";  // "int8", "fp32", "fake-quant", "verify", "describe", "profile"
  bool json = false;
  Isa isa = Isa::kScalar;
  int threads = 1;
  std::int64_t batch = 64;
  std::int64_t images = 0;  // 0: all
  std::string data;
  std::optional<double> require_top1;
  std::optional<ModelForm> compare;  // with this model; an empty path: the same
  OnnxRequest onnx;
};

cxxopts::Options make_options() {
  cxxopts::Options options("eval",
                           "Evaluates a trained model on the test set of its dataset.\n"
                           "MODEL is a run folder, or the file of an integer model (--int8 and "
                           "--describe alone);\nwithout it, the newest finished run in runs/.\n"
                           "With IMAGEs (PNG or JPEG files) it classifies those instead.\n");
  options.custom_help(
      "[MODEL] [--int8 | --fp32 | --fake-quant | --verify | --describe | --profile] [OPTION...] "
      "[IMAGE...]");
  options.positional_help("");
  options.set_width(100);
  auto add = options.add_options();
  add("int8", "accuracy, speed and hash of the integer graph on the integer engine (the default)");
  add("fp32", "the same of the float model");
  add("fake-quant",
      "the same of the fake-quantized model in evaluation mode: the twin of the integer graph");
  add("verify",
      "compare the twin with the integer engine in every tensor; exit code 3 if they differ");
  add("describe", "print the integer graph, one line per node");
  add("compare",
      "evaluate this one too, on the same images, and print what only one gets right, with the "
      "exact "
      "two-sided p of McNemar's test",
      cxxopts::value<std::string>(), "MODEL");
  add("compare-form",
      "int8, fp32 or fake-quant: the other's form (default: the same); without --compare, of the "
      "same MODEL",
      cxxopts::value<std::string>(), "FORM");
  add("profile",
      "where the time of --int8 goes: a table of its layers, on random images, with their share of "
      "this CPU's peak");
  add("trace", "the same, and write one run as a Chrome trace (chrome://tracing, Perfetto)",
      cxxopts::value<std::string>(), "FILE");
  add("export-onnx",
      "write the integer model as an ONNX file in QDQ form; with --fp32, the float model",
      cxxopts::value<std::string>(), "FILE");
  add("onnx-preset", "qdq (uint8 activations; the default) or tensorrt (int8, symmetric)",
      cxxopts::value<std::string>(), "NAME");
  add("json", "print the result as one JSON object (not of --describe)");
  add("isa",
      "scalar, avx2, avxvnni, avx512vnni or neondot (default: OCTET_ISA, or the best this CPU has)",
      cxxopts::value<std::string>(), "NAME");
  add("threads", "number of threads (default: all processors)", cxxopts::value<int>(), "N");
  add("batch", "images per call of the model; latency is measured one by one",
      cxxopts::value<std::int64_t>()->default_value("64"), "N");
  add("images", "only the first N test images", cxxopts::value<std::int64_t>(), "N");
  add("data",
      "the folder that holds datasets; of image_folder, train/ and test/ (default: the run's "
      "data.root, or data)",
      cxxopts::value<std::string>(), "DIR");
  add("top", "of IMAGEs, print the N likeliest classes", cxxopts::value<int>()->default_value("3"),
      "N");
  add("resize",
      "convert IMAGEs of another size or other colours to the model's input (the aspect ratio is "
      "not kept)");
  add("require-top1", "exit with 3 if top-1 is below X percent", cxxopts::value<double>(), "X");
  add("version", "print version and commit");
  add("help", "print this text");
  add("MODEL", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional({"MODEL"});
  return options;
}

constexpr char kExitCodes[] =
    "\nExit codes: 0 done; 1 an error; 2 wrong usage; 3 a required figure was missed.\n";

// --top and --resize belong to image files; what belongs to a test set does not go with them.
void read_classify_arguments(const cxxopts::ParseResult& parsed, Arguments& a) {
  a.top = parsed["top"].as<int>();
  a.resize = parsed.count("resize") > 0;
  if (a.top < 1) throw UsageError(message("--top must be at least 1, got ", a.top));
  const bool files = !a.image_files.empty();
  if (files && a.form != "int8") {
    throw UsageError(message("image files are classified by --int8, not by --", a.form));
  }
  const auto other =
      files ? std::vector<const char*>{"data", "images", "require-top1", "compare", "compare-form"}
            : std::vector<const char*>{"top", "resize"};
  for (const char* option : other) {
    if (parsed.count(option) == 0) continue;
    throw UsageError(message(
        "--", option, files ? " does not go with image files" : " needs image files to classify"));
  }
}

void check_onnx_request(const Arguments& a) {
  if (a.onnx.file.empty()) {
    if (a.onnx.preset) throw UsageError("--onnx-preset needs --export-onnx FILE");
  } else if (!a.image_files.empty() || a.compare) {
    throw UsageError(message("--export-onnx writes a model, it goes with neither image files nor ",
                             "--compare"));
  } else if (a.form != "int8" && a.form != "fp32") {
    throw UsageError(message("--export-onnx writes the integer model, or with --fp32 the float ",
                             "model; --", a.form, " has no ONNX form"));
  }
}

Arguments read_arguments(const cxxopts::ParseResult& parsed) {
  Arguments a;
  int forms = 0;
  for (const char* form : {"int8", "fp32", "fake-quant", "verify", "describe"}) {
    if (parsed.count(form) == 0) continue;
    a.form = form;
    ++forms;
  }
  if (forms > 1)
    throw UsageError("choose one of --int8, --fp32, --fake-quant, --verify, --describe");
  if (parsed.count("trace") > 0) a.trace = parsed["trace"].as<std::string>();
  if (parsed.count("profile") > 0 || parsed.count("trace") > 0) {
    if (a.form != "int8") throw UsageError(message("--profile is of --int8, not of --", a.form));
    a.form = "profile";
  }
  if (parsed.count("compare") + parsed.count("compare-form") > 0) {
    if (a.form == "verify" || a.form == "describe" || a.form == "profile" ||
        parsed.count("require-top1") > 0) {
      throw UsageError(message("--compare goes with --int8, --fp32 or --fake-quant, not with --",
                               parsed.count("require-top1") > 0 ? "require-top1" : a.form));
    }
    a.compare = ModelForm{.path = "", .form = a.form};
    if (parsed.count("compare") > 0) a.compare->path = parsed["compare"].as<std::string>();
    if (parsed.count("compare-form") > 0)
      a.compare->form = parsed["compare-form"].as<std::string>();
  }
  if (parsed.count("MODEL") > 0) {
    for (const auto& word : parsed["MODEL"].as<std::vector<std::string>>()) {
      if (names_an_image(word)) {
        a.image_files.push_back(word);
      } else if (!a.path.empty()) {
        throw UsageError(message("one model at a time, got ", a.path, " and ", word,
                                 "; images end in .png, .jpg or .jpeg"));
      } else {
        a.path = word;
      }
    }
  }
  read_classify_arguments(parsed, a);
  a.json = parsed.count("json") > 0;
  a.isa = parsed.count("isa") > 0 ? isa_from_name(parsed["isa"].as<std::string>()) : default_isa();
  set_process_isa(a.isa);
  a.threads = parsed.count("threads") > 0 ? parsed["threads"].as<int>() : available_processors();
  set_num_threads(a.threads);
  a.batch = parsed["batch"].as<std::int64_t>();
  if (a.batch < 1 || a.batch > 65536)
    throw UsageError(message("--batch must be in [1, 65536], got ", a.batch));
  if (parsed.count("images") > 0) {
    a.images = parsed["images"].as<std::int64_t>();
    if (a.images < 1) throw UsageError(message("--images must be at least 1, got ", a.images));
  }
  if (parsed.count("data") > 0) a.data = parsed["data"].as<std::string>();
  if (parsed.count("export-onnx") > 0) a.onnx.file = parsed["export-onnx"].as<std::string>();
  if (parsed.count("onnx-preset") > 0) {
    a.onnx.preset = onnx_preset_from_name(parsed["onnx-preset"].as<std::string>());
  }
  check_onnx_request(a);
  if (parsed.count("require-top1") > 0) a.require_top1 = parsed["require-top1"].as<double>();
  return a;
}

// The dataset's test set, or its first images, in the place of the splits' test set.
DatasetSplits test_data(const Arguments& a, const RunFiles& files,
                        const std::optional<ir::Graph>& graph) {
  const std::string name = files.config ? files.config->data.name : graph->dataset;
  const std::string root =
      !a.data.empty() ? a.data : (files.config ? files.config->data.root : "data");
  // A model file does not say how its images were converted, but to which shape.
  Shape image_shape;
  if (files.config) {
    image_shape = files.config->data.image_shape;
  } else if (name == "image_folder") {
    image_shape = graph->value(graph->input).shape;
  }
  DatasetSplits splits = load_or_fetch(name, root, image_shape);
  OCTET_CHECK(
      !graph || graph->class_names.empty() || graph->class_names == splits.test->class_names(),
      "the classes of ", name, " in ", root, " are not those of the model ", files.path,
      ": top-1 would mean nothing");
  if (a.images > 0 && a.images < splits.test->size()) {
    std::vector<std::int64_t> first(static_cast<std::size_t>(a.images));
    for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int64_t>(i);
    splits.test = std::make_shared<Subset>(splits.test, std::move(first));
  }
  return splits;
}

int report(const Arguments& a, const RunFiles& files, Measurement m,
           const std::filesystem::path& file) {
  m.path = file;
  std::error_code no_file;
  const std::uintmax_t bytes = std::filesystem::file_size(file, no_file);
  if (!no_file) m.file_bytes = bytes;
  if (m.model.empty() && files.config) m.model = files.config->model.name;
  if (a.json) {
    std::cout << to_json(m).dump(2) << "\n";
  } else {
    std::cout << to_table({m}) << "images " << m.images << "  threads " << m.threads << "  batch "
              << m.batch << "  isa " << m.isa << "\nlogits_sha256 " << m.logits_sha256 << "\n";
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
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << r.images << " images, " << r.tensors << " tensors each, " << r.elements
              << " elements compared between the fake-quantized model and the integer engine ("
              << name_of(a.isa) << "): " << r.mismatched << " differ, largest difference "
              << r.max_lsb << " LSB\n";
  }
  if (r.mismatched == 0) return 0;
  std::cerr << "error: the integer engine differs from the fake-quantized model; first at "
            << r.first_mismatch << "\n";
  return kMissedFigure;
}

int profile(const Arguments& a, const ir::Graph& graph) {
  PeakWatch peak("int8", a.isa);
  const Profile profile =
      profile_int8(graph, {.batch = a.batch, .threads = a.threads, .isa = a.isa});
  peak.measure_again();
  if (!a.trace.empty()) atomic_write(a.trace, to_trace(profile).dump(1) + "\n");
  std::cout << (a.json ? to_json(profile, peak.gmac_per_s()).dump(2) + "\n"
                       : to_table(profile, peak.gmac_per_s()));
  return 0;
}

int run(const Arguments& a) {
  std::string path = a.path;
  if (path.empty()) {
    path = newest_finished_run("runs");
    std::cerr << "octet: evaluating the newest run, " << path << "\n";
  }
  if (a.compare) {
    const ComparedModels models = compare_models(
        {path, a.form}, {a.compare->path.empty() ? path : a.compare->path, a.compare->form},
        [&](const RunFiles& files, const std::optional<ir::Graph>& graph) {
          return test_data(a, files, graph);
        },
        {.batch = a.batch, .threads = a.threads, .isa = a.isa});
    std::cout << (a.json ? comparison_json(models).dump(2) + "\n" : comparison_table(models));
    return 0;
  }
  const RunFiles files = open_run(path);
  std::optional<ir::Graph> graph;
  if (a.form == "int8" || a.form == "verify" || a.form == "describe" || a.form == "profile") {
    if (!std::filesystem::exists(files.int8_file)) {
      throw UsageError(message(files.int8_file,
                               " does not exist: this run has no integer model; train with "
                               "quantize.method: ptq or qat, or evaluate it with --fp32"));
    }
    graph = ir::read_model(files.int8_file);
  } else if (!files.run) {
    throw UsageError(
        message("--", a.form, " needs a run folder; ", files.path, " is an integer model"));
  }
  if (a.form == "describe") {
    std::cout << ir::to_text(*graph);
    return 0;
  }
  if (a.form == "profile") return profile(a, *graph);
  if (!a.image_files.empty()) {
    const auto images = classify_images(
        *graph, a.image_files,
        {.top = a.top, .resize = a.resize, .batch = a.batch, .threads = a.threads, .isa = a.isa});
    std::cout << (a.json ? to_json(*graph, images).dump(2) + "\n" : to_text(*graph, images));
    return 0;
  }
  if (!a.onnx.file.empty() && graph) {
    export_int8_onnx(*graph, a.onnx);
    return 0;
  }
  const DatasetSplits data = test_data(a, files, graph);
  const EvaluateOptions options{.batch = a.batch, .threads = a.threads, .isa = a.isa};
  if (a.form == "int8")
    return report(a, files, evaluate_int8(*graph, *data.test, options), files.int8_file);
  if (!files.run) throw UsageError(message("--", a.form, " needs a run folder, not a model file"));
  if (a.form == "verify") return verify(a, files, *graph, data);
  if (!a.onnx.file.empty()) {
    export_float_onnx(files, data, a.onnx);
    return 0;
  }
  if (a.form == "fp32") {
    const auto model = load_float_model(files, data);
    return report(a, files, evaluate_float(*model, data.test, data.normalization, options),
                  *files.run / kFp32File);
  }
  const auto model = load_prepared_model(files, data);
  return report(a, files, evaluate_fake_quant(*model, data.test, data.normalization, options),
                *files.run / kCheckpointName);
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  return octet::guarded_main([&] {
    cxxopts::Options options = octet::make_options();
    const cxxopts::ParseResult parsed = options.parse(argc, argv);
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
