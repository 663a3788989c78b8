// ONNX as a user meets it: export a run, start another one from the file, and what can go wrong.
#include <doctest/doctest.h>

#include <string>

#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

const std::string kTrain = "train --config " OCTET_SOURCE_DIR
                           "/configs/lenet_ptq.yaml --set data.name=mnist_sample --set "
                           "train.epochs=0 --threads 1 ";

std::string logits_of(const Outcome& outcome) {
  const std::string key = "logits_sha256 ";
  const std::size_t at = outcome.out.find(key);
  return at == std::string::npos ? outcome.err : outcome.out.substr(at + key.size(), 64);
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("a run that starts from an exported integer model gives the same integers") {
  const Workplace work;
  REQUIRE(work.run(kTrain + "--out a").exit_code == 0);
  const Outcome written = work.run("eval_ a --export-onnx a.onnx");
  REQUIRE(written.exit_code == 0);
  CHECK(written.out.find("opset 13, QDQ, uint8 activations") != std::string::npos);

  const Outcome trained =
      work.run(kTrain + "--set model.name=onnx --set model.init_from=a.onnx --out b");
  CAPTURE(trained.err);
  REQUIRE(trained.exit_code == 0);
  std::filesystem::remove(work / "a.onnx");  // the run has a copy
  CHECK(logits_of(work.run("eval_ b --int8")) == logits_of(work.run("eval_ a --int8")));
  CHECK(work.run("eval_ b --verify").exit_code == 0);
  CHECK(work.run("eval_ b --fp32").exit_code == 0);
  CHECK(work.run("train --resume b --threads 1").exit_code == 0);
  // More threads than any test machine has cores: slower, and the same.
  CHECK(logits_of(work.run("eval_ b --int8 --threads 99")) ==
        logits_of(work.run("eval_ a --int8")));
}

TEST_CASE("a float model goes out as ONNX and its weights come back by name") {
  const Workplace work;
  REQUIRE(work.run(kTrain + "--out a").exit_code == 0);
  REQUIRE(work.run("eval_ a --fp32 --export-onnx a.onnx").exit_code == 0);
  REQUIRE(work.run(kTrain + "--set run.seed=2 --set model.init_from=a.onnx --out b").exit_code ==
          0);
  CHECK(logits_of(work.run("eval_ b --fp32")) == logits_of(work.run("eval_ a --fp32")));
}

TEST_CASE("a model with a normalization of its own is run with it, in float and in integers") {
  const Workplace work;
  const std::string own = "--set data.mean=[0.1307] --set data.std=[0.3081] ";
  REQUIRE(work.run(kTrain + own + "--out a").exit_code == 0);
  REQUIRE(work.run("eval_ a --fp32 --export-onnx a.onnx").exit_code == 0);
  const std::string from = kTrain + "--set model.name=onnx --set model.init_from=a.onnx ";
  REQUIRE(work.run(from + own + "--out b").exit_code == 0);
  const std::string logits = logits_of(work.run("eval_ a --fp32"));
  CHECK(logits_of(work.run("eval_ b --fp32")) == logits);
  CHECK(logits_of(work.run("eval_ b --int8")) == logits_of(work.run("eval_ a --int8")));
  CHECK(work.run("eval_ b --verify").exit_code == 0);
  CHECK(read_text(work / "b/meta.json").find("\"normalization\"") != std::string::npos);
  CHECK(read_text(work / "b/config.yaml").find("mean: [0.1307]") != std::string::npos);
  // Without it the same weights see other numbers.
  REQUIRE(work.run(from + "--out c").exit_code == 0);
  CHECK(logits_of(work.run("eval_ c --fp32")) != logits);
}

TEST_CASE("bad ONNX requests are errors that say what to do") {
  const Workplace work;
  REQUIRE(work.run(kTrain + "--out a").exit_code == 0);
  REQUIRE(work.run("eval_ a --export-onnx pixels.onnx").exit_code == 0);
  const std::string pixels = read_text(work / "pixels.onnx");
  write_text(work / "no.onnx", "no ONNX at all");
  write_text(work / "cut.onnx", pixels.substr(0, pixels.size() / 2));
  const std::string from = kTrain + "--set model.name=onnx --out b --set model.init_from=";
  struct Row {
    const char* what;
    std::string command;
    int exit_code;
    std::string message;
  };
  const Row rows[] = {
      {"an unknown preset", "eval_ a --export-onnx x --onnx-preset int4", 2,
       "--onnx-preset is qdq or tensorrt, got \"int4\""},
      {"a preset alone", "eval_ a --onnx-preset qdq", 2, "--onnx-preset needs --export-onnx"},
      {"a preset of a float model", "eval_ a --fp32 --export-onnx x --onnx-preset qdq", 2,
       "--onnx-preset is for integer models"},
      {"another form", "eval_ a --verify --export-onnx x", 2, "--verify has no ONNX form"},
      {"a folder that is not there", "eval_ a --export-onnx nowhere/x.onnx", 1, "nowhere/x.onnx"},
      {"another kind of file", from + "a/model_fp32.safetensors", 2, "must be an .onnx file"},
      {"a file that is missing", from + "missing.onnx", 1, "missing.onnx"},
      {"normalized for three channels",
       from + "pixels.onnx --set data.mean=[0.5,0.5,0.5] --set data.std=[1,1,1]", 2,
       "data.mean has 3 numbers"},
      {"normalized by half", from + "pixels.onnx --set data.std=[1]", 2, "data.mean is missing"},
      {"normalized unlike the file", from + "pixels.onnx --set data.mean=[0.5] --set data.std=[1]",
       2, "set data.mean and data.std as that model was trained"},
      {"a truncated file", from + "cut.onnx", 1, "cut.onnx: "},
      {"a file of something else", from + "no.onnx", 1, "no.onnx: "},
  };
  for (const Row& row : rows) {
    CAPTURE(std::string(row.what));
    const Outcome outcome = work.run(row.command);
    CAPTURE(outcome.err);
    CHECK(outcome.exit_code == row.exit_code);
    CHECK(outcome.err.find(row.message) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(work / "b"));
    CHECK_FALSE(std::filesystem::exists(work / "x"));
  }
}

TEST_SUITE_END();

}  // namespace octet::testing
