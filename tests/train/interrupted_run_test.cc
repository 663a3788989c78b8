// A run that is cut short, by the power (at every change that it makes to the disk, with every
// subset of what was not yet confirmed) or by a signal, and what of it resumes.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <limits>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/parallel.h"
#include "eval/run_files.h"
#include "io/checkpoint.h"
#include "tests/file/crash_file_system.h"
#include "tests/file/temp_folder.h"
#include "tests/programs/run_program.h"
#include "train/run_folder.h"
#include "train/run_training.h"
#include "train/signals.h"

namespace octet {
namespace {

using testing::read_text;

// Nothing of what the runs print shows among the tests' output.
class Silence {
 public:
  Silence() : cout_(std::cout.rdbuf(sink_.rdbuf())), stderr_(::dup(STDERR_FILENO)) {
    const int null = ::open("/dev/null", O_WRONLY);
    ::dup2(null, STDERR_FILENO);
    ::close(null);
  }
  ~Silence() {
    std::cout.rdbuf(cout_);
    ::dup2(stderr_, STDERR_FILENO);
    ::close(stderr_);
  }

 private:
  std::ostringstream sink_;
  std::streambuf* cout_;
  int stderr_;
};

// One step in each phase, and a save after it. One thread: on a busy machine many short
// runs would spend their time waiting for a second.
Config small_config() {
  set_num_threads(1);
  return load_config(
      OCTET_SOURCE_DIR "/configs/lenet_qat.yaml",
      {"data.name=mnist_sample", "data.batch_size=800", "train.epochs=1", "quantize.epochs=1",
       "train.warmup_epochs=0", "quantize.warmup_epochs=0", "train.ema_decay=0.9",
       "checkpoint.every_seconds=0", "eval.forms=[int8]", "eval.images=256"});
}

// What must not depend on cuts.
std::string results(const std::string& run) {
  const auto summary = nlohmann::json::parse(read_text(run + "/summary.json"));
  std::string text = summary.at("weights_sha256").get<std::string>() + "\n" +
                     summary.at("logits_sha256").get<std::string>() + "\n";
  std::istringstream lines(read_text(run + "/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    nlohmann::json record = nlohmann::json::parse(line);
    record.erase("images_per_second");
    text += record.dump() + "\n";
  }
  return text;
}

// The files that a run looks at when it resumes.
DiskState without_temporaries(const DiskState& state) {
  DiskState kept;
  for (const auto& [path, content] : state) {
    if (path.find(".tmp-") == std::string::npos) kept.emplace(path, content);
  }
  return kept;
}

}  // namespace

TEST_CASE("a run whose power is cut at any change is not there, or resumes to the same results") {
  const Silence silence;
  const TempFolder working;
  CrashFileSystem crash(working.path());
  REQUIRE(run_training(
              {.config = small_config(), .folder = working / "runs/it", .file_system = &crash}) ==
          0);
  const std::string expected = results(working / "runs/it");

  std::set<DiskState> seen;
  int resumed = 0;
  for (int at = 0; at <= crash.changes(); ++at) {
    for (const DiskState& state : crash.after_cut(at)) {
      if (!seen.insert(without_temporaries(state)).second) continue;
      CAPTURE(at);
      const TempFolder disk;
      write_state(state, disk.path());
      const std::string run = disk / "runs/it";
      if (!std::filesystem::exists(run)) {  // the next run takes what is left of it away
        const RunLock next = create_run_folder(disk / "runs", "next", "", {{kConfigFile, {}}});
        CHECK(next.folder() == disk / "runs/next-001");
        for (const auto& entry : std::filesystem::directory_iterator(disk / "runs")) {
          CHECK(entry.path().filename() == "next-001");
        }
        continue;
      }
      int code = -1;
      std::string error;
      try {
        code = run_training({.config = load_run_config(run), .folder = run, .resume = true});
      } catch (const Error& caught) {
        error = caught.what();
      }
      CHECK(error == "");
      CHECK(code == 0);
      CHECK(results(run) == expected);
      ++resumed;
    }
  }
  CHECK(resumed >= 10);
}

TEST_CASE(
    "a run that gets a signal at any file that it writes stops, and resumes to the same results") {
  // Sends the process a signal at rename number `at`.
  struct SignalingFileSystem final : FileSystem {
    int at, count = 0, signal;
    SignalingFileSystem(int number, int with) : at(number), signal(with) {}
    int rename(int folder, const std::string& from, const std::string& to) override {
      if (count++ == at) std::raise(signal);
      return FileSystem::rename(folder, from, to);
    }
  };
  const Silence silence;
  const TempFolder temp;
  catch_stop_signals();
  REQUIRE(run_training({.config = small_config(), .folder = temp / "whole"}) == 0);
  const std::string expected = results(temp / "whole");
  int stopped = 0;
  for (int at = 0, code = -1; code != 0; ++at) {
    CAPTURE(at);
    const int signal = at % 3 == 0 ? SIGINT : at % 3 == 1 ? SIGHUP : SIGPIPE;
    const std::string run = temp / std::to_string(at);
    SignalingFileSystem signaling(at, signal);
    catch_stop_signals();
    code = run_training({.config = small_config(), .folder = run, .file_system = &signaling});
    if (code != 0) {
      CHECK(code == 128 + signal);
      CHECK_FALSE(std::filesystem::exists(run + "/summary.json"));
      ++stopped;
      catch_stop_signals();
      REQUIRE(run_training({.config = load_run_config(run), .folder = run, .resume = true}) == 0);
    }
    CHECK(results(run) == expected);
  }
  catch_stop_signals();  // forgets the last one
  CHECK(stopped >= 8);
}

TEST_CASE("a run whose config.yaml is missing or empty resumes with the config of its checkpoint") {
  const Silence silence;
  const TempFolder temp;
  const std::string run = temp / "run";
  REQUIRE(run_training({.config = small_config(), .folder = run, .stop_after = 2}) == 0);
  const std::string yaml = read_text(run + "/config.yaml");
  for (const std::string& left : {std::string(), std::string(yaml.size(), '\0')}) {
    testing::write_text(run + "/config.yaml", left);
    CHECK(to_yaml(load_run_config(run)) == yaml);
  }
  std::filesystem::remove(run + "/config.yaml");
  REQUIRE(run_training({.config = load_run_config(run), .folder = run, .resume = true}) == 0);
  CHECK(read_text(run + "/config.yaml") == yaml);

  std::filesystem::create_directory(temp / "other");
  CHECK_THROWS_WITH_AS(load_run_config(temp / "other"), doctest::Contains("is not a run folder"),
                       UsageError);
  testing::write_text(temp / "other/config.yaml", "\n");
  CHECK_THROWS_WITH_AS(load_run_config(temp / "other"),
                       doctest::Contains("an empty config.yaml and no checkpoint"), UsageError);
  CHECK_THROWS_WITH_AS(load_run_config(temp / "none"), doctest::Contains("there is no run folder"),
                       UsageError);
}

TEST_CASE("a checkpoint that this run cannot have written is refused, and nothing is changed") {
  const Silence silence;
  const TempFolder temp;
  const std::string run = temp / "run";
  REQUIRE(run_training({.config = small_config(), .folder = run, .stop_after = 1}) == 0);
  const std::string path = run + "/checkpoint.safetensors",
                    metrics = read_text(run + "/metrics.jsonl");
  const Checkpoint good = read_checkpoint(path);
  const auto error_with = [&](const auto& change) {
    Checkpoint bad = good;
    change(bad);
    save_checkpoint(RunLock(run), bad, 1);
    const std::string before = read_text(path);
    std::string what;
    try {
      run_training({.config = load_run_config(run), .folder = run, .resume = true});
    } catch (const Error& error) {
      what = error.what();
    }
    CHECK(read_text(path) == before);
    CHECK(read_text(run + "/metrics.jsonl") == metrics);
    CHECK(what.find(path) != std::string::npos);
    return what;
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const auto set = [](const char* field, nlohmann::json value) {
    return [=](Checkpoint& c) {
      nlohmann::json state = nlohmann::json::parse(c.state);
      state[field] = value;
      c.state = state.dump();
    };
  };
  CHECK(has(error_with(set("epoch", 7)), "octet.state.epoch is 7"));
  CHECK(has(error_with(set("step", -1)), "octet.state.step expects"));
  CHECK(has(error_with(set("phase", "quantise")), "octet.state.phase is quantise"));
  CHECK(has(error_with([](Checkpoint& c) { c.state = "{}"; }), "octet.state has no phase"));
  CHECK(has(error_with([](Checkpoint& c) { c.groups.erase("optimizer"); }),
            "no group \"optimizer\""));
  CHECK(has(error_with([](Checkpoint& c) { c.groups.erase("ema"); }), "no group \"ema\""));
  CHECK(
      has(error_with([](Checkpoint& c) { c.groups["more"] = c.groups["ema"]; }), "group \"more\""));
  CHECK(has(error_with([](Checkpoint& c) { c.groups["ema"].pop_back(); }), "group ema"));
  for (const char* group : {"model", "optimizer", "ema"}) {
    const std::string error = error_with([&](Checkpoint& c) {
      Tensor tensor = c.groups[group][0].tensor.clone();
      tensor.mutable_data()[0] = std::numeric_limits<float>::quiet_NaN();
      c.groups[group][0].tensor = tensor;
    });
    CHECK(has(error, "has nan at element 0"));
  }
  CHECK_THROWS_WITH_AS(
      [&] {
        Checkpoint bad = good;
        bad.groups.erase("model");
        save_checkpoint(RunLock(run), bad, 1);
        read_checkpoint(path);
      }(),
      doctest::Contains("has no tensors of a model"), Error);
}

TEST_CASE("a finished run is never trained again") {
  const Silence silence;
  const TempFolder temp;
  const std::string run = temp / "run";
  REQUIRE(run_training({.config = small_config(), .folder = run}) == 0);
  const std::string expected = results(run), metrics = read_text(run + "/metrics.jsonl");
  const auto resume = [&] {
    return run_training({.config = load_run_config(run), .folder = run, .resume = true});
  };
  REQUIRE(resume() == 0);  // evaluates again
  CHECK(results(run) == expected);

  // The checkpoint of the last step is damaged, so that the one before it would be next.
  testing::write_text(run + "/checkpoint.safetensors", "x");
  CHECK_THROWS_WITH_AS(resume(), doctest::Contains("this run has finished"), UsageError);
  std::filesystem::remove(run + "/checkpoint.broken.safetensors");
  std::filesystem::remove(run + "/checkpoint.prev.safetensors");
  CHECK_THROWS_WITH_AS(resume(), doctest::Contains("this run has finished"), UsageError);
  std::filesystem::remove(run + "/summary.json");  // the integer model says it as well
  CHECK_THROWS_WITH_AS(resume(), doctest::Contains("this run has finished"), UsageError);
  CHECK(read_text(run + "/metrics.jsonl") == metrics);
  std::filesystem::remove(run + "/model_int8.safetensors");
  REQUIRE(resume() == 0);  // the folder of a run that was killed before its first save
  CHECK(results(run) == expected);
}

}  // namespace octet
