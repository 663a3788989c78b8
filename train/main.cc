// train: trains a model from a config, quantizes it and converts it to integers. See --help.
#include <iostream>

#define CXXOPTS_VECTOR_DELIMITER '\0'  // --set a=[1,2] is one override
#include <cxxopts.hpp>

#include "base/cpu.h"
#include "base/error.h"
#include "base/parallel.h"
#include "eval/load_data.h"
#include "eval/run_files.h"
#include "io/config.h"
#include "octet_version.h"
#include "train/run_training.h"
#include "train/signals.h"

namespace octet {
namespace {

cxxopts::Options make_options() {
  cxxopts::Options options(
      "train",
      "Trains a model as a config says, quantizes it, converts it to a graph of integers, and\n"
      "evaluates every form on the test set. Everything lies in the run folder afterwards.\n");
  options.custom_help("--config FILE [--set KEY=VALUE]... | --resume DIR");
  auto add = options.add_options();
  add("config", "the experiment, as given or in configs/ (configs/lenet_qat.yaml)",
      cxxopts::value<std::string>());
  add("set", "override a key of the config: --set train.lr=0.1 (repeatable)",
      cxxopts::value<std::vector<std::string>>());
  add("out", "the run folder, which must not exist (default: the next free runs/<name>-NNN)",
      cxxopts::value<std::string>());
  add("resume",
      "continue the run in this folder, to the same bits as if it had not been interrupted",
      cxxopts::value<std::string>());
  add("threads", "number of threads; the results do not depend on it (default: run.threads)",
      cxxopts::value<int>());
  add("isa",
      "scalar, avx2, avxvnni, avx512vnni or neondot (default: OCTET_ISA, or the best this CPU has)",
      cxxopts::value<std::string>());
  add("print-config", "print the resolved config and exit");
  add("help-config", "print every key of a config: default, allowed values, meaning");
  add("version", "print version and commit");
  add("help", "print this text");
  return options;
}

int run(const cxxopts::ParseResult& parsed) {
  if (!parsed.unmatched().empty())
    throw UsageError(message("unexpected argument ", parsed.unmatched()[0]));
  if (parsed.count("config") + parsed.count("resume") != 1) {
    throw UsageError(
        "give either --config FILE or --resume DIR (to start: --config configs/lenet_qat.yaml)");
  }
  if (parsed.count("resume") > 0 && parsed.count("out") > 0) {
    throw UsageError("--out starts a new run; --resume goes on in its own folder");
  }
  std::vector<std::string> overrides;
  if (parsed.count("set") > 0) overrides = parsed["set"].as<std::vector<std::string>>();

  TrainRequest request;
  if (parsed.count("resume") > 0) {
    request.resume = true;
    request.folder = parsed["resume"].as<std::string>();
    request.config = load_config(request.folder / kConfigFile, overrides);
  } else {
    const std::string path =
        find_config(parsed["config"].as<std::string>(), octet_home() / "configs");
    request.config = load_config(path, overrides);
    if (parsed.count("out") > 0) request.folder = parsed["out"].as<std::string>();
  }
  if (parsed.count("print-config") > 0) {
    std::cout << to_yaml(request.config);
    return 0;
  }
  request.threads =
      parsed.count("threads") > 0 ? parsed["threads"].as<int>() : request.config.run.threads;
  if (request.threads == 0 && parsed.count("threads") == 0)
    request.threads = available_processors();
  set_num_threads(request.threads);
  set_process_isa(parsed.count("isa") > 0 ? isa_from_name(parsed["isa"].as<std::string>())
                                          : default_isa());

  catch_stop_signals();
  return run_training(request);
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  try {
    cxxopts::Options options = octet::make_options();
    const cxxopts::ParseResult parsed = options.parse(argc, argv);
    if (parsed.count("help") > 0) {
      std::cout << options.help();
      return 0;
    }
    if (parsed.count("version") > 0) {
      std::cout << "octet " << octet::kVersion << " (" << octet::kCommit << ")\n";
      return 0;
    }
    if (parsed.count("help-config") > 0) {
      std::cout << octet::describe_config();
      return 0;
    }
    return octet::run(parsed);
  } catch (const cxxopts::exceptions::exception& error) {
    std::cerr << "error: " << error.what() << "; see --help\n";
    return 2;
  } catch (const octet::UsageError& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
