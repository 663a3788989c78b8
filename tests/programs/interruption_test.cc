// What interrupts a run from outside, and what is left then: as a user sees it.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

const std::string kRun =
    "train --config " OCTET_SOURCE_DIR
    "/configs/lenet_qat.yaml --threads 1 --set data.name=mnist_sample --set data.batch_size=50 "
    "--set train.epochs=2 --set quantize.epochs=1 ";

std::string program(const std::string& line) { return "\"$TRAIN\"" + line.substr(5); }

// Every line of the log is a record.
int records(const Workplace& work, const std::string& run) {
  std::istringstream lines(read_text(work / (run + "/metrics.jsonl")));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    CHECK(nlohmann::json::parse(line).contains("phase"));
  }
  return count;
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("closed standard descriptors: nothing that is printed ends up in a file") {
  const Workplace work;
  CHECK(work.run(kRun + "--out run <&- >&- 2>&-").exit_code == 0);
  CHECK(records(work, "run") == 3);  // one an epoch
  CHECK(summary(work, "run").contains("weights_sha256"));
  CHECK(work.run("eval_ run --int8 --export-onnx model.onnx <&- >&- 2>&-").exit_code == 0);
  CHECK(work.run("eval_ run --export-onnx again.onnx").exit_code == 0);
  CHECK(read_text(work / "model.onnx") == read_text(work / "again.onnx"));
}

TEST_CASE("SIGHUP and SIGTERM save as Ctrl-C does, and a SIGHUP that is ignored stays so") {
  const Workplace work;
  REQUIRE(work.run(kRun + "--out whole").exit_code == 0);
  struct Case {
    const char* signal;
    int exit_code;
  };
  for (const Case& c : {Case{"HUP", 129}, Case{"TERM", 143}}) {
    CAPTURE(c.signal);
    const std::string run = c.signal;
    const Outcome stopped =
        work.run(program(kRun) + "--out " + run + " & p=$!; until [ -s " + run +
                 "/metrics.jsonl ]; do sleep 0.01; done; kill -" + c.signal + " $p; wait $p");
    CAPTURE(stopped.err);
    CHECK(stopped.exit_code == c.exit_code);
    CHECK(stopped.err.find("--resume " + run) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(work / (run + "/summary.json")));
    REQUIRE(work.run("train --resume " + run).exit_code == 0);
    CHECK(summary(work, run)["weights_sha256"] == summary(work, "whole")["weights_sha256"]);
  }
  CHECK(work.run("(trap '' HUP; exec " + program(kRun) +
                 "--out ignored) & p=$!; until [ -s ignored/metrics.jsonl ]; do sleep 0.01; done; "
                 "kill -HUP $p; wait $p")
            .exit_code == 0);
}

TEST_CASE("a closed pipe on stderr saves, one on stdout loses nothing but the table") {
  const Workplace work;
  REQUIRE(work.run(kRun + "--out whole").exit_code == 0);
  // 6 is the end for writing of a pipe that nobody reads.
  const std::string pipe = "mkfifo pipe; exec 5<>pipe 6>pipe; exec 5<&-; ";
  CHECK(work.run(pipe + kRun + "--out a 2>&6 6>&-").exit_code == 141);
  CHECK_FALSE(std::filesystem::exists(work / "a/summary.json"));
  CHECK(std::filesystem::exists(work / "a/checkpoint.safetensors"));
  REQUIRE(work.run("train --resume a").exit_code == 0);
  CHECK(summary(work, "a")["weights_sha256"] == summary(work, "whole")["weights_sha256"]);
  // The first lines are printed before the first step, and it stops as soon as it sees that.
  const nlohmann::json resumed = summary(work, "a")["resumed_at_steps"];
  REQUIRE(resumed.size() == 1);
  CHECK(resumed[0] <= 1);

  CHECK(work.run("rm pipe; " + pipe + kRun + "--out b >&6 6>&-").exit_code == 141);
  CHECK(summary(work, "b")["logits_sha256"] == summary(work, "whole")["logits_sha256"]);
}

TEST_CASE("--resume of a run whose metrics.jsonl is gone, or a link, invents and cuts nothing") {
  const Workplace work;
  REQUIRE(work.run(kRun + "--out run --stop-after 40").exit_code == 0);
  std::filesystem::remove(work / "run/metrics.jsonl");
  write_text(work / "precious", "1\n2\n3\n");
  std::filesystem::create_symlink("../precious", work / "run/metrics.jsonl");
  const Outcome link = work.run("train --resume run");
  CHECK(link.exit_code == 1);
  CHECK(link.err.find("run/metrics.jsonl\" is a symbolic link") != std::string::npos);
  CHECK(read_text(work / "precious") == "1\n2\n3\n");

  std::filesystem::remove(work / "run/metrics.jsonl");
  const Outcome gone = work.run("train --resume run");
  CHECK(gone.exit_code == 0);
  CHECK(gone.err.find("warning: \"run/metrics.jsonl\" is missing: 0 of the ") != std::string::npos);
  CHECK(records(work, "run") == 1);  // of the last epoch
}

TEST_CASE("--resume of a finished run without its checkpoints says so, and its log stays") {
  const Workplace work;
  REQUIRE(work.run(kRun + "--out run").exit_code == 0);
  const std::string log = read_text(work / "run/metrics.jsonl");
  const Outcome again = work.run("rm run/checkpoint*; train --resume run --stop-after 3");
  CHECK(again.exit_code == 2);
  CHECK(again.err.find("this run has finished") != std::string::npos);
  CHECK(read_text(work / "run/metrics.jsonl") == log);
}

TEST_SUITE_END();

}  // namespace octet::testing
