// What the programs make easy on the command line.
#include <doctest/doctest.h>

#include <string>

#include "tests/programs/quick_run.h"
#include "tests/programs/run_program.h"

namespace octet::testing {

TEST_SUITE_BEGIN("programs");

TEST_CASE("-h prints the help of every program, as --help does") {
  const Workplace work;
  for (const std::string program :
       {"train", "eval_", "bench", "bench peak", "bench layers", "bench model"}) {
    CAPTURE(program);
    const Outcome brief = work.run(program + " -h");
    CHECK(brief.exit_code == 0);
    CHECK(brief.out.find("--help") != std::string::npos);
    CHECK(brief.out == work.run(program + " --help").out);
  }
}

TEST_CASE("commands that are printed can be pasted, with spaces and quotes in paths too") {
  const Workplace work;
  const Outcome trained = work.run(kConfig + "--out \"it's a run\"");
  REQUIRE(trained.exit_code == 0);
  const std::string next = "next        ./octet ";
  const std::size_t at = trained.out.find(next);
  REQUIRE(at != std::string::npos);
  std::string command = trained.out.substr(at + next.size());
  command.resize(command.find('\n'));
  CHECK(command.starts_with("eval "));
  // With the program's name in this shell.
  CHECK(work.run("eval_" + command.substr(4) + " --threads 1").exit_code == 0);

  const Outcome stopped = work.run(
      "train --config " OCTET_SOURCE_DIR "/configs/lenet.yaml " + kQuick +
      "--set train.epochs=1 --set train.warmup_epochs=0 --stop-after 1 --out 'my runs/$HOME'");
  REQUIRE(stopped.exit_code == 0);
  const std::string resume = "continue with: ./octet ";
  const std::size_t from = stopped.err.find(resume);
  REQUIRE(from != std::string::npos);
  command = stopped.err.substr(from + resume.size());
  command.resize(command.find('\n'));
  CHECK(work.run(command + " --threads 1").exit_code == 0);
}

TEST_CASE("_base_ is looked for in configs/ too, and a percentage with its sign is taken so") {
  const Workplace work;
  write_text(work / "mine.yaml", "_base_: lenet_qat.yaml\ntrain: {lr: 0.125}\n");
  const Outcome printed = work.run("train --config mine.yaml --print-config");
  CHECK(printed.exit_code == 0);
  CHECK(printed.out.find("lr: 0.125") != std::string::npos);
  CHECK(printed.out.find("method: qat") != std::string::npos);
  REQUIRE(work.run(kConfig + "--out run").exit_code == 0);
  CHECK(work.run("eval_ run --threads 1 --require-top1 0.5%").exit_code == 0);
}

TEST_SUITE_END();

}  // namespace octet::testing
