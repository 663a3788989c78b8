// eval --profile and --trace: what they print and write. How long things take is not tested.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

using Json = nlohmann::json;

const std::string kEvalLenet = "eval_ " OCTET_SOURCE_DIR "/tests/golden/lenet_int8.safetensors ";
const std::string kEveryOp = "eval_ " OCTET_SOURCE_DIR "/tests/golden/every_op_v1.safetensors ";

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("eval --profile shows every layer with its shape, kernel and share") {
  const Workplace work;
  const Outcome table = work.run(kEvalLenet + "--profile --batch 3 --threads 1");
  CAPTURE(table.err);
  REQUIRE(table.exit_code == 0);
  for (const char* text : {"conv1 + pool1", "28x28x1 -> 28x28x6, 5x5", "u8s8_gemm_", "400 -> 120",
                           "fc3", "GOP/s", "\nall ", "lenet  batch 3  threads 1  isa "}) {
    CAPTURE(text);
    CHECK(table.out.find(text) != std::string::npos);
  }
  CHECK(table.out.find("flatten") == std::string::npos);  // computes nothing

  const Outcome object = work.run(kEvalLenet + "--int8 --profile --json --batch 2 --isa scalar");
  REQUIRE(object.exit_code == 0);
  const Json json = Json::parse(object.out);
  CHECK(json.at("peak_gop_per_s").is_null());  // scalar kernels are compared with nothing
  REQUIRE(json.at("layers").size() == 5);
  double sum = 0.0;
  for (const Json& layer : json["layers"]) sum += layer.at("ms").get<double>();
  CHECK(sum == doctest::Approx(json.at("steps_ms").get<double>()));
  CHECK(json["layers"][0].at("name") == "conv1 + pool1");
  CHECK(json["layers"][0].at("op") == "QConv2d + MaxPool2d");
  CHECK(json["layers"][0].at("kernel") == "u8s8_gemm_1x1_scalar");
  CHECK(json["layers"][0].at("macs") == 2 * 28 * 28 * 6 * 25);
  CHECK(json["layers"][2].at("macs") == 2 * 400 * 120);
}

TEST_CASE("eval --fp32 --profile shows the layers of the float engine") {
  const Workplace work;
  REQUIRE(work.run("train --config " OCTET_SOURCE_DIR "/configs/lenet.yaml --out run --set "
                   "data.name=mnist_sample --set train.epochs=0")
              .exit_code == 0);
  const Outcome outcome = work.run("eval_ run --fp32 --profile --json --batch 2 --isa scalar");
  CAPTURE(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  const Json json = Json::parse(outcome.out);
  REQUIRE(json.at("layers").size() == 7);  // two pools of their own, no flatten
  CHECK(json["layers"][0].at("name") == "conv1");
  CHECK(json["layers"][0].at("op") == "Conv2d");
  CHECK(json["layers"][0].at("kernel") == "f32_gemm_scalar");
  CHECK(json["layers"][0].at("shape") == "28x28x1 -> 28x28x6, 5x5");
  CHECK(json["layers"][0].at("macs") == 2 * 28 * 28 * 6 * 25);
  CHECK(json["layers"][1].at("op") == "MaxPool2d");
  CHECK(json["layers"][4].at("op") == "Linear");
  CHECK(json["layers"][4].at("macs") == 2 * 400 * 120);
}

TEST_CASE("eval --trace writes a Chrome trace of one run, a row a thread") {
  const Workplace work;
  for (const int threads : {1, 2}) {
    const std::string n = std::to_string(threads);
    // The other model is so small that one thread computes it whatever is asked for.
    const Outcome outcome = work.run((threads == 1 ? kEveryOp : kEvalLenet) +
                                     "--trace t.json --json --batch 8 --threads " + n);
    CAPTURE(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    const Json layers = Json::parse(outcome.out).at("layers");
    const Json trace = Json::parse(read_text(work / "t.json"));
    std::multiset<std::string> names;
    std::set<int> rows;
    double first = 1e9;
    for (const Json& event : trace.at("traceEvents")) {
      if (event.at("ph") == "M") continue;
      CHECK(event.at("ph") == "X");
      CHECK(event.at("dur") >= 0.0);
      CHECK(event.at("args").at("shape").get<std::string>().find("->") != std::string::npos);
      first = std::min(first, event.at("ts").get<double>());
      names.insert(event.at("name"));
      rows.insert(event.at("tid").get<int>());
    }
    CHECK(first == 0.0);
    CHECK(rows.size() == static_cast<std::size_t>(threads));
    for (const Json& layer : layers) {
      CHECK(names.count(layer.at("name")) >= static_cast<std::size_t>(threads));
    }
  }
}

TEST_CASE("eval --profile and --trace refuse what they cannot do") {
  const Workplace work;
  struct Row {
    std::string arguments;
    int exit_code;
    std::string message;
  };
  for (const Row& row :
       {Row{"--profile --fp32", 2, "fp32 needs a run folder"},
        Row{"--profile --verify", 2, "--verify"}, Row{"--profile a.png", 2, "--profile"},
        Row{"--profile --compare x", 2, "--profile"},
        Row{"--profile --export-onnx x", 2, "--profile"}, Row{"--trace", 2, "trace"},
        Row{"--trace nowhere/t.json", 1, "nowhere"}}) {
    CAPTURE(row.arguments);
    const Outcome outcome = work.run(kEvalLenet + row.arguments);
    CAPTURE(outcome.err);
    CHECK(outcome.exit_code == row.exit_code);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.rfind("error: ", 0) == 0);
    CHECK(outcome.err.find(row.message) != std::string::npos);
  }
}

TEST_SUITE_END();

}  // namespace octet::testing
