#include "eval/arguments.h"

#include <charconv>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/classify_images.h"
#include "eval/thread_note.h"
#include "file/printable.h"

namespace octet {

cxxopts::Options make_options() {
  cxxopts::Options options("eval",
                           "Evaluates a trained model on the test set of its dataset.\n"
                           "MODEL is a run folder, or the file of an integer model (--int8 and "
                           "--describe alone);\nwithout it, the newest finished run in runs/.\n"
                           "With IMAGEs (PNG or JPEG files) it classifies those instead.\n");
  options.custom_help(
      "[MODEL] [--int8 | --fp32 | --fake-quant | --verify | --describe] [OPTION...] [IMAGE...]");
  options.positional_help("");
  options.set_width(100);
  auto add = options.add_options();
  add("int8", "accuracy, speed and hash of the integer graph on the integer engine (the default)");
  add("fp32",
      "the same of the float model on the float engine, batch norm folded into its weights");
  add("fake-quant",
      "the same of the fake-quantized model in evaluation mode: the twin of the integer graph");
  add("verify",
      "compare the integer engine with the twin in every tensor, and with the float model in its "
      "logits; exit code 3 if engine and twin differ");
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
      "where the time of --int8, or of --fp32, goes: a table of its layers, on random images, with "
      "their share of this CPU's peak");
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
  add("threads", "number of threads (default: OMP_NUM_THREADS, or all processors)",
      cxxopts::value<int>(), "N");
  add("batch", "images per call of the model; latency is measured one by one",
      cxxopts::value<std::int64_t>()->default_value("64"), "N");
  add("images",
      "only N test images: the first; of image_folder, number i * size / N for each i, so that all "
      "classes are there",
      cxxopts::value<std::int64_t>(), "N");
  add("data",
      "the folder that holds datasets; of image_folder, train/ and test/ (default: the run's "
      "data.root, or data)",
      cxxopts::value<std::string>(), "DIR");
  add("top", "of IMAGEs, print the N likeliest classes", cxxopts::value<int>()->default_value("3"),
      "N");
  add("resize",
      "convert IMAGEs of another size or other colours to the model's input (the aspect ratio is "
      "not kept)");
  add("require-top1", "exit with 3 if top-1 is below X percent, such as 99",
      cxxopts::value<std::string>(), "X");
  add("version", "print version and commit");
  add("h,help", "print this text");
  add("MODEL", "", cxxopts::value<std::vector<std::string>>());
  options.parse_positional({"MODEL"});
  return options;
}

namespace {

// --top and --resize belong to image files; what belongs to a test set does not go with them.
void read_classify_arguments(const cxxopts::ParseResult& parsed, Arguments& a) {
  a.top = parsed["top"].as<int>();
  a.resize = parsed.count("resize") > 0;
  if (a.top < 1) throw UsageError(message("--top must be at least 1, got ", a.top));
  const bool files = !a.image_files.empty();
  if (files && (a.form != "int8" || a.profile)) {
    throw UsageError(
        message("image files are classified by --int8, not by --", a.profile ? "profile" : a.form));
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

// "99" or "99%". A share such as 0.99 would be missed by nothing, so it is asked back; with its
// sign it is taken at its word.
double percent_from(const std::string& text) {
  const bool has_sign = text.ends_with('%');
  const char *begin = text.data(), *end = begin + text.size() - (has_sign ? 1 : 0);
  double percent = 0.0;
  const auto [read, error] = std::from_chars(begin, end, percent);
  if (error != std::errc() || read != end || !(percent >= 0.0 && percent <= 100.0)) {
    throw UsageError(message("--require-top1 must be a number of percent in [0, 100], got \"",
                             printable(text), "\""));
  }
  if (percent > 0.0 && percent <= 1.0 && !has_sign) {
    throw UsageError(message("--require-top1 ", text, ": X is in percent; give ", 100.0 * percent,
                             " if a share of the images is meant, or ", text, "% for ", text,
                             " percent"));
  }
  return percent;
}

void check_onnx_request(const Arguments& a) {
  if (a.onnx.file.empty()) {
    if (a.onnx.preset) throw UsageError("--onnx-preset needs --export-onnx FILE");
  } else if (!a.image_files.empty() || a.compare) {
    throw UsageError(message("--export-onnx writes a model, it goes with neither image files nor ",
                             "--compare"));
  } else if ((a.form != "int8" && a.form != "fp32") || a.profile) {
    throw UsageError(message("--export-onnx writes the integer model, or with --fp32 the float ",
                             "model; --", a.profile ? "profile" : a.form, " has no ONNX form"));
  }
}

}  // namespace

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
    if (a.form != "int8" && a.form != "fp32") {
      throw UsageError(message("--profile is of --int8 or --fp32, not of --", a.form));
    }
    a.profile = true;
  }
  if (parsed.count("compare") + parsed.count("compare-form") > 0) {
    const bool required = parsed.count("require-top1") > 0;
    if (a.form == "verify" || a.form == "describe" || a.profile || required) {
      throw UsageError(message("--compare goes with --int8, --fp32 or --fake-quant, not with --",
                               required    ? "require-top1"
                               : a.profile ? "profile"
                                           : a.form));
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
  a.threads = parsed.count("threads") > 0 ? parsed["threads"].as<int>() : default_threads();
  set_num_threads(a.threads);
  note_many_threads();
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
  if (parsed.count("require-top1") > 0)
    a.require_top1 = percent_from(parsed["require-top1"].as<std::string>());
  return a;
}

}  // namespace octet
