// Training with train.precision: bf16, on 800 images: what it promises beside speed.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

const std::string kBn = "--set model.name=lenet_bn ";

std::string train(const std::string& config, const std::string& more) {
  return "train --config " OCTET_SOURCE_DIR "/configs/" + config +
         " --set data.name=mnist_sample --set data.batch_size=50 --set train.lr=0.02 "
         "--set train.epochs=4 --set train.precision=bf16 " +
         more;
}

nlohmann::json json_of(const Workplace& work, const std::string& file) {
  return nlohmann::json::parse(read_text(work / file));
}
std::string weights_of(const Workplace& work, const std::string& run) {
  return json_of(work, run + "/summary.json")["weights_sha256"];
}

// Of each epoch of the float phase.
std::vector<double> losses(const Workplace& work, const std::string& run) {
  std::vector<double> all;
  std::istringstream lines(read_text(work / (run + "/metrics.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json record = nlohmann::json::parse(line);
    if (record["phase"] == "float") all.push_back(record["loss"]);
  }
  return all;
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("bf16: the loss falls as in float32, with the same weights for any threads and kernels") {
  const Workplace work;
  const Outcome first = work.run(train("lenet.yaml", kBn + "--threads 1 --out one"));
  CAPTURE(first.err);
  REQUIRE(first.exit_code == 0);
  const bool native = cpu_has_avx512_bf16() && default_isa() == Isa::kAvx512Vnni;
  CHECK((first.err.find("note: bf16 is emulated") == std::string::npos) == native);
  CHECK(json_of(work, "one/meta.json")["precision"] == "bf16");
  const std::string kernels = json_of(work, "one/meta.json")["bf16_kernels"];
  CHECK((kernels.find("emulated") == std::string::npos) == native);

  REQUIRE(work.run(train("lenet.yaml", kBn + "--threads 2 --out fp32 --set train.precision=fp32"))
              .exit_code == 0);
  CHECK(json_of(work, "fp32/meta.json")["precision"] == "fp32");
  const std::vector<double> bf16 = losses(work, "one"), fp32 = losses(work, "fp32");
  REQUIRE(bf16.size() == 4);
  REQUIRE(fp32.size() == 4);
  CHECK(bf16.back() < 0.5 * bf16.front());
  for (std::size_t epoch = 0; epoch < 4; ++epoch) {
    CHECK(std::fabs(bf16[epoch] - fp32[epoch]) < 0.03 * fp32[epoch]);
  }
  CHECK(weights_of(work, "one") != weights_of(work, "fp32"));

  const auto hash_after_steps = [&](const std::string& run, const std::string& more) {
    const Outcome outcome =
        work.run(train("lenet.yaml", kBn + "--stop-after 6 --out " + run + " " + more));
    REQUIRE(outcome.exit_code == 0);
    return outcome.out;
  };
  const std::string expected = hash_after_steps("one6", "--threads 1");
  CHECK(expected.rfind("weights_sha256 ", 0) == 0);
  CHECK(hash_after_steps("two6", "--threads 2") == expected);
  CHECK(hash_after_steps("four6", "--threads 4") == expected);
  for (const Isa isa : supported_isas()) {
    const std::string name(name_of(isa));
    CAPTURE(name);
    CHECK(hash_after_steps(name, "--threads 2 --isa " + name) == expected);
  }
}

TEST_CASE("bf16: a resumed run ends with the same weights, and keeps its precision") {
  const Workplace work;
  REQUIRE(work.run(train("lenet.yaml", "--threads 2 --out whole")).exit_code == 0);
  REQUIRE(work.run(train("lenet.yaml", "--threads 2 --out parts --stop-after 21")).exit_code == 0);
  const Outcome changed = work.run("train --resume parts --set train.precision=fp32");
  CHECK(changed.exit_code == 2);
  CHECK(changed.err.find("train.precision was bf16 and is now fp32") != std::string::npos);
  REQUIRE(work.run("train --resume parts --threads 1").exit_code == 0);
  CHECK(weights_of(work, "parts") == weights_of(work, "whole"));
}

TEST_CASE(
    "bf16 ends with the float phase: quantization-aware training and evaluation are float32") {
  const Workplace work;
  const std::string qat = "--set quantize.epochs=1 --threads 2 ";
  // Without a float phase nothing is left of it.
  REQUIRE(work.run(train("lenet_bn_qat.yaml", qat + "--set train.epochs=0 --out a")).exit_code ==
          0);
  REQUIRE(work.run(train("lenet_bn_qat.yaml",
                         qat + "--set train.epochs=0 --set train.precision=fp32 --out b"))
              .exit_code == 0);
  CHECK(weights_of(work, "a") == weights_of(work, "b"));
  REQUIRE(work.run(train("lenet_bn_qat.yaml", qat + "--out c")).exit_code == 0);
  const Outcome verified = work.run("eval_ c --verify --json");
  CHECK(verified.exit_code == 0);
  CHECK(nlohmann::json::parse(verified.out)["max_lsb"] == 0);
}

TEST_SUITE_END();

}  // namespace octet::testing
