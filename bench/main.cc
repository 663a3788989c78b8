// bench: what this machine can do, and what Octet's kernels and models make of it. See --help.
#include <array>
#include <cxxopts.hpp>
#include <iostream>

#include "base/error.h"
#include "base/nearest.h"
#include "base/parallel.h"
#include "bench/layers.h"
#include "bench/model.h"
#include "bench/peak.h"
#include "eval/command_line.h"
#include "eval/guarded_main.h"
#include "eval/spin_count.h"
#include "models/registry.h"
#include "octet_version.h"

namespace octet {
namespace {

constexpr char kHelp[] =
    "Measures this machine, and Octet on it.\n\n"
    "  bench peak    the peaks of this machine: multiply-accumulates a second, reading memory\n"
    "  bench layers  the float kernels on every convolution and linear layer of a model\n"
    "  bench model   a whole model: steps of training, or inference\n\n"
    "  bench peak --help, ...  every option\n\n"
    "Shares are of the peak of the instruction set and precision in use, measured in the same "
    "run;\n"
    "GMAC are 10^9 multiply-accumulates. Close other programs: they share the cores.\n\n"
    "Exit codes: 0 done; 1 an error; 2 wrong usage.\n";

constexpr std::array kCommands = {"peak", "layers", "model"};

cxxopts::Options make_options(const std::string& command) {
  const auto describe = [&]() -> const char* {
    if (command == "peak") {
      return "Measures the peaks of this machine: multiply-accumulates of each instruction set "
             "that\n"
             "this CPU has, and reading of memory, with one thread and with all.\n";
    }
    if (command == "layers") {
      return "Measures the float kernels on every distinct convolution and linear layer of a "
             "model.\n"
             "Shares are of the peak; the total counts each layer as often as the model has it.\n";
    }
    return "Measures a whole model on random images. A training step is forward, loss, backward "
           "and\n"
           "SGD. Inference runs on the float engine, batch norm folded, or on the integer engine.\n"
           "gmac_per_image counts the products of convolutions and linear layers: once for\n"
           "inference; in training also both gradients, without the first layer's data gradient.\n";
  };
  cxxopts::Options options("bench " + command, describe());
  options.custom_help("[OPTION...]");
  options.set_width(100);
  auto add = options.add_options();
  if (command != "peak") {
    add("model", "which network (names below)", cxxopts::value<std::string>(), "NAME");
    if (command == "layers") {
      add("mode", "forward, dgrad, wgrad or all",
          cxxopts::value<std::string>()->default_value("all"), "PASS");
      add("precision", "fp32 or bf16", cxxopts::value<std::string>()->default_value("fp32"),
          "NAME");
    } else {
      add("mode", "train or infer", cxxopts::value<std::string>()->default_value("train"), "MODE");
      add("precision", "fp32, bf16 to train, or int8 to infer",
          cxxopts::value<std::string>()->default_value("fp32"), "NAME");
    }
    add("batch", "images per step", cxxopts::value<std::int64_t>()->default_value("128"), "N");
    add("image", "image shape (default: 28x28x1 for lenet, 32x32x3 for others)",
        cxxopts::value<std::string>(), "HxWxC");
    add("isa",
        "scalar, avx2, avxvnni, avx512vnni or neondot (default: OCTET_ISA, or the best this CPU "
        "has)",
        cxxopts::value<std::string>(), "NAME");
    add("seconds", "measure at least so long (default: 5 per model, 0.1 per layer and pass)",
        cxxopts::value<double>(), "S");
  }
  add("threads", "number of threads (default: OMP_NUM_THREADS, or all processors)",
      cxxopts::value<int>(), "N");
  add("json", "print one JSON object");
  add("h,help", "print this text");
  return options;
}

template <class Choice, std::size_t kCount>
Choice choose(const cxxopts::ParseResult& parsed, const char* option,
              const std::pair<const char*, Choice> (&choices)[kCount]) {
  const std::string asked = parsed[option].as<std::string>();
  std::vector<std::string> names;
  for (const auto& [name, choice] : choices) {
    if (asked == name) return choice;
    names.emplace_back(name);
  }
  throw UsageError(message("--", option, ": there is no \"", asked, "\"; did you mean \"",
                           nearest(asked, names), "\"?"));
}

// "32x32x3"
Shape shape_of(const std::string& text) {
  std::int64_t h = 0, w = 0, c = 0;
  int end = 0;
  const int read = std::sscanf(text.c_str(), "%5ldx%5ldx%5ld%n", &h, &w, &c, &end);
  if (read != 3 || static_cast<std::size_t>(end) != text.size() || h < 1 || w < 1 || c < 1 ||
      h > 1024 || w > 1024 || c > 1024) {
    throw UsageError(message(
        "--image expects HxWxC, each within 1 and 1024, such as 32x32x3; got \"", text, "\""));
  }
  return {h, w, c};
}

// What layers and model have in common.
template <class Request>
void read_common(const cxxopts::ParseResult& parsed, Request& request) {
  if (parsed.count("model") == 0) {
    std::string names;
    for (const std::string& name : registered_models()) names += " " + name;
    throw UsageError("--model is missing; there are:" + names);
  }
  request.model = parsed["model"].as<std::string>();
  request.batch = parsed["batch"].as<std::int64_t>();
  if (request.batch < 1 || request.batch > 65536) {
    throw UsageError(message("--batch must be in [1, 65536], got ", request.batch));
  }
  if (parsed.count("image") > 0) request.image_shape = shape_of(parsed["image"].as<std::string>());
  request.isa =
      parsed.count("isa") > 0 ? isa_from_name(parsed["isa"].as<std::string>()) : default_isa();
  set_process_isa(request.isa);
  if (parsed.count("seconds") > 0) {
    const double seconds = parsed["seconds"].as<double>();
    if (!(seconds >= 0.0 && seconds <= 3600.0)) {
      throw UsageError(message("--seconds must be in [0, 3600], got ", seconds));
    }
    request.timing.seconds = seconds;
  }
}

// Of the instruction set that read_common has set.
void note_emulation(bool bf16) {
  const std::string note = emulation_note(bf16 ? Precision::kBf16 : Precision::kFp32);
  if (!note.empty()) std::cerr << note << "\n";
}

ModelRequest model_request(const cxxopts::ParseResult& parsed) {
  ModelRequest request;
  read_common(parsed, request);
  using R = ModelRequest;
  request.mode =
      choose<R::Mode>(parsed, "mode", {{"train", R::Mode::kTrain}, {"infer", R::Mode::kInfer}});
  request.precision = choose<R::Precision>(parsed, "precision",
                                           {{"fp32", R::Precision::kFp32},
                                            {"bf16", R::Precision::kBf16},
                                            {"int8", R::Precision::kInt8}});
  note_emulation(request.mode == R::Mode::kTrain && request.precision == R::Precision::kBf16);
  return request;
}

LayersRequest layers_request(const cxxopts::ParseResult& parsed) {
  LayersRequest request;
  read_common(parsed, request);
  using Passes = std::vector<Pass>;
  request.passes =
      choose<Passes>(parsed, "mode",
                     {{"forward", {Pass::kForward}},
                      {"dgrad", {Pass::kDataGradient}},
                      {"wgrad", {Pass::kWeightGradient}},
                      {"all", {Pass::kForward, Pass::kDataGradient, Pass::kWeightGradient}}});
  if (parsed["precision"].as<std::string>() == "int8") {
    throw UsageError("--precision int8 has no layers on their own yet; see bench model");
  }
  request.precision = choose<Precision>(parsed, "precision",
                                        {{"fp32", Precision::kFp32}, {"bf16", Precision::kBf16}});
  note_emulation(request.precision == Precision::kBf16);
  return request;
}

template <class Result>
int report(const cxxopts::ParseResult& parsed, const Result& result) {
  if (parsed.count("json") > 0) {
    nlohmann::ordered_json json = to_json(result);
    json["commit"] = kCommit;
    std::cout << json.dump(2) << "\n";
  } else {
    std::cout << to_table(result);
  }
  return 0;
}

int run(const std::string& command, const cxxopts::ParseResult& parsed) {
  if (!parsed.unmatched().empty()) {
    throw UsageError(message("unexpected argument ", parsed.unmatched()[0]));
  }
  set_num_threads(parsed.count("threads") > 0 ? parsed["threads"].as<int>() : default_threads());
  if (command == "peak") return report(parsed, measure_peaks());
  if (command == "layers") return report(parsed, bench_layers(layers_request(parsed)));
  return report(parsed, bench_model(model_request(parsed)));
}

int start(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "--help" || command == "-h") {
    std::cout << kHelp;
    return 0;
  }
  if (command == "--version") {
    std::cout << "octet " << kVersion << " (" << kCommit << ")\n";
    return 0;
  }
  if (std::find(kCommands.begin(), kCommands.end(), command) == kCommands.end()) {
    const std::string near = nearest_typo(command, {kCommands.begin(), kCommands.end()});
    throw UsageError(message(command.empty() ? "what to measure is missing" : "cannot measure \"",
                             command, command.empty() ? "" : "\"",
                             near.empty() ? "" : " (did you mean " + near + "?)",
                             "; there are peak, layers and model (bench --help)"));
  }
  cxxopts::Options options = make_options(command);
  const cxxopts::ParseResult parsed = parse_command_line(options, argc - 1, argv + 1);
  if (parsed.count("help") > 0) {
    std::cout << options.help();
    if (command == "peak") return 0;
    std::cout << "\nmodels:";
    for (const std::string& name : registered_models()) std::cout << " " << name;
    std::cout << "\n";
    return 0;
  }
  return run(command, parsed);
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  octet::limit_spinning(argv);
  return octet::guarded_main([&] { return octet::start(argc, argv); });
}
