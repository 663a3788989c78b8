// train: trains a model from a config, quantizes it and converts it to integers. See --help.
#include <csignal>
#include <iostream>

#define CXXOPTS_VECTOR_DELIMITER '\0'  // --set a=[1,2] is one override
#include <cxxopts.hpp>

#include "base/cpu.h"
#include "base/error.h"
#include "base/parallel.h"
#include "eval/command_line.h"
#include "eval/guarded_main.h"
#include "eval/load_data.h"
#include "eval/run_files.h"
#include "eval/spin_count.h"
#include "eval/thread_note.h"
#include "file/printable.h"
#include "file/shell.h"
#include "file/utf8.h"
#include "io/config.h"
#include "models/registry.h"
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
  options.custom_help(
      "--config FILE [--set KEY=VALUE]... [--out DIR] | --resume DIR [--stop-after N]");
  options.set_width(100);
  auto add = options.add_options();
  add("config", "the experiment: a file, or the name of one in configs/ (lenet_qat.yaml)",
      cxxopts::value<std::string>(), "FILE");
  add("set", "override a key of the config, such as train.lr=0.1 (repeatable)",
      cxxopts::value<std::vector<std::string>>(), "KEY=VALUE");
  add("out", "the run folder, which must not exist (default: the next free runs/<name>-NNN)",
      cxxopts::value<std::string>(), "DIR");
  add("resume",
      "continue the run in this folder, to the same bits as if it had not been interrupted",
      cxxopts::value<std::string>(), "DIR");
  add("threads",
      "number of threads; the results do not depend on it (default: run.threads, of which 0 means "
      "OMP_NUM_THREADS, or all processors)",
      cxxopts::value<int>(), "N");
  add("isa",
      "scalar, avx2, avxvnni, avx512vnni or neondot; the results do not depend on it (default: "
      "OCTET_ISA, or the best this CPU has)",
      cxxopts::value<std::string>(), "NAME");
  add("stop-after",
      "stop and save once the run has made N steps in all, and print weights_sha256; --resume goes "
      "on from there",
      cxxopts::value<std::int64_t>(), "N");
  add("print-config", "print the resolved config and exit");
  add("help-config", "print every key of a config: default, meaning, allowed values");
  add("version", "print version and commit");
  add("h,help", "print this text");
  return options;
}

constexpr char kExitCodes[] =
    "\nExit codes: 0 done; 1 an error; 2 wrong usage or config; 128 + the signal's number after "
    "everything\nwas saved: 129 SIGHUP (the terminal is gone), 130 Ctrl-C, 141 nobody reads stdout "
    "or "
    "stderr any more,\n143 SIGTERM.\n";

std::string help_config() {
  std::string text =
      "Every key of a config: its default, what it means, what it may be. A config is YAML, a map "
      "per section\n(train: {lr: 0.1}); _base_: FILE or _base_: [FILE, ...] at its top inherits, "
      "from "
      "beside it or from\nconfigs/; --set train.lr=0.1 overrides.\n\n" +
      describe_config();
  const auto list = [&](const char* key, const std::vector<std::string>& names) {
    text += message("\n", key, ":");
    for (const std::string& name : names) text += " " + name;
  };
  list("data.name", registered_datasets());
  list("model.name", registered_models());
  text += " onnx (the network of the ONNX file model.init_from)";
  return text + "\n";
}

// Options of other training programs are keys of our config.
std::string hint(const std::string& name, const std::string& value) {
  const std::string set = set_option_for(name, value);
  return set.empty() ? "" : "; a key of the config is set with " + set;
}

// What is wrong with a word that no option takes.
std::string unexpected(const std::string& word, const std::vector<std::string>& overrides) {
  std::string remedy = explain_word(word);
  if (remedy.empty() && !overrides.empty() && overrides.back().find('=') == std::string::npos) {
    remedy = "; did you mean --set " + shell_quoted(overrides.back() + "=" + word) + "?";
  }
  return message("unexpected argument ", printable(word), remedy);
}

int run(const cxxopts::ParseResult& parsed) {
  std::vector<std::string> overrides;
  if (parsed.count("set") > 0) overrides = parsed["set"].as<std::vector<std::string>>();
  if (!parsed.unmatched().empty()) {
    throw UsageError(unexpected(parsed.unmatched()[0], overrides));
  }
  if (parsed.count("config") + parsed.count("resume") != 1) {
    throw UsageError(
        "give either --config FILE or --resume DIR (to start: --config configs/lenet_qat.yaml)");
  }
  if (parsed.count("resume") > 0 && parsed.count("out") > 0) {
    throw UsageError("--out starts a new run; --resume goes on in its own folder");
  }
  for (const char* option : {"out", "resume"}) {  // summary.json names the folder
    if (parsed.count(option) > 0 && !is_utf8(parsed[option].as<std::string>())) {
      throw UsageError(message("--", option, ": the name of the folder is not UTF-8 text"));
    }
  }

  TrainRequest request;
  if (parsed.count("resume") > 0) {
    request.resume = true;
    request.folder = parsed["resume"].as<std::string>();
    request.config = load_run_config(request.folder, overrides);
  } else {
    const std::string path =
        find_config(parsed["config"].as<std::string>(), octet_home() / "configs");
    request.config = load_config(path, overrides, octet_home() / "configs");
    if (parsed.count("out") > 0) request.folder = parsed["out"].as<std::string>();
  }
  if (parsed.count("print-config") > 0) {
    std::cout << to_yaml(request.config);
    return 0;
  }
  if (parsed.count("stop-after") > 0) {
    request.stop_after = parsed["stop-after"].as<std::int64_t>();
    if (request.stop_after < 1)
      throw UsageError(message("--stop-after must be at least 1, got ", request.stop_after));
  }
  request.threads =
      parsed.count("threads") > 0 ? parsed["threads"].as<int>() : request.config.run.threads;
  if (request.threads == 0 && parsed.count("threads") == 0) request.threads = default_threads();
  set_num_threads(request.threads);
  note_many_threads();
  set_process_isa(parsed.count("isa") > 0 ? isa_from_name(parsed["isa"].as<std::string>())
                                          : default_isa());

  catch_stop_signals();
  const int code = run_training(request);
  // Where nobody reads the results any more, they can be had again.
  return code == 0 && !std::cout.flush() && stop_signal() == SIGPIPE ? 128 + SIGPIPE : code;
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
    if (parsed.count("help-config") > 0) {
      std::cout << octet::help_config();
      return 0;
    }
    return octet::run(parsed);
  });
}
