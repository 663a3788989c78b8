// The promises of a run, on 800 images: what a user sees, and the same bits again.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/cpu.h"
#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

const std::string kSample =
    " --set data.name=mnist_sample --set data.batch_size=50 --set train.epochs=2 --set "
    "quantize.epochs=2 "
    "--set quantize.freeze_observer_epoch=1 --set quantize.freeze_bn_epoch=1 ";

const std::string kAverage = "--set train.ema_decay=0.9 --set train.bn_reestimate_batches=3 ";

std::string train(const std::string& config, const std::string& more) {
  return "train --config " OCTET_SOURCE_DIR "/configs/" + config + kSample + more;
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("the number of threads does not change the weights of a run") {
  const Workplace work;
  REQUIRE(work.run(train("lenet_bn_qat.yaml", kAverage + "--threads 1 --out one")).exit_code == 0);
  for (const int threads : {2, 3, 4}) {
    CAPTURE(threads);
    const std::string run = "threads" + std::to_string(threads);
    REQUIRE(work.run(train("lenet_bn_qat.yaml",
                           kAverage + "--out " + run + " --threads " + std::to_string(threads)))
                .exit_code == 0);
    CHECK(summary(work, run)["weights_sha256"] == summary(work, "one")["weights_sha256"]);
  }
}

TEST_CASE("the instruction set does not change the weights and logits of a run") {
  const Workplace work;
  REQUIRE(work.run(train("lenet_bn_qat.yaml", kAverage + "--threads 1 --out one")).exit_code == 0);
  for (const Isa isa : supported_isas()) {
    const std::string name(name_of(isa));
    CAPTURE(name);
    REQUIRE(work.run(train("lenet_bn_qat.yaml",
                           kAverage + "--threads 1 --out " + name + " --isa " + name))
                .exit_code == 0);
    CHECK(summary(work, name)["weights_sha256"] == summary(work, "one")["weights_sha256"]);
    CHECK(summary(work, name)["logits_sha256"] == summary(work, "one")["logits_sha256"]);
  }
}

TEST_CASE("round_to_fp16: the float model, in half the bytes, starts another run as it was") {
  const Workplace work;
  REQUIRE(work.run(train("lenet.yaml", "--set train.round_to_fp16=true --out one")).exit_code == 0);
  REQUIRE(
      work
          .run(train(
              "lenet.yaml",
              "--out two --set train.epochs=0 --set model.init_from=one/model_fp16.safetensors"))
          .exit_code == 0);
  CHECK(summary(work, "two")["weights_sha256"] == summary(work, "one")["weights_sha256"]);
  CHECK(summary(work, "two")["logits_sha256"] == summary(work, "one")["logits_sha256"]);
  const auto bytes = [&](const char* file) { return std::filesystem::file_size(work / file); };
  CHECK(bytes("one/model_fp16.safetensors") < 0.51 * bytes("one/model_fp32.safetensors") + 2048);
  CHECK_FALSE(std::filesystem::exists(work / "two/model_fp16.safetensors"));
}

TEST_CASE("muon: one result for every instruction set and number of threads, resumed too") {
  const Workplace work;
  const std::string muon = "--set train.optimizer=muon ";
  const auto hash_of = [&](const std::string& line) {
    const Outcome outcome = work.run(line);
    CAPTURE(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    return outcome.out;
  };
  // 16 steps an epoch: step 36 lies in qat.
  const std::string expected =
      hash_of(train("lenet_bn_qat.yaml", muon + "--threads 1 --out one --stop-after 36"));
  CHECK(expected != hash_of(train("lenet_bn_qat.yaml", "--threads 1 --out sgd --stop-after 36")));
  hash_of(train("lenet_bn_qat.yaml", muon + "--threads 1 --out parts --stop-after 9"));
  CHECK(hash_of("train --resume parts --threads 2 --stop-after 36") == expected);
  for (const Isa isa : supported_isas()) {
    const std::string name(name_of(isa));
    CAPTURE(name);
    CHECK(hash_of(train("lenet_bn_qat.yaml", muon + "--threads 3 --stop-after 36 --out " + name +
                                                 " --isa " + name)) == expected);
  }
}

TEST_CASE("Ctrl-C finishes the step and saves, and the resumed run ends with the same weights") {
  const Workplace work;
  const std::string options =
      "--threads 1 --set train.ema_decay=0.9 --set data.validation_size=100 ";
  REQUIRE(work.run(train("lenet_qat.yaml", options + "--out whole")).exit_code == 0);
  const nlohmann::json whole = summary(work, "whole");

  // Interrupts as soon as a line of metrics.jsonl is there: after the first epoch, and, resumed, in
  // the middle again.
  const std::string interrupted = "\"$TRAIN\"" +
                                  train("lenet_qat.yaml", options + "--out parts").substr(5) +
                                  " & program=$!; until [ -s parts/metrics.jsonl ]; do sleep 0.01; "
                                  "done; kill -INT $program; sleep 0.02; kill -INT $program; "
                                  "wait $program";  // twice, as `timeout` sends it
  const Outcome first = work.run(interrupted);
  CAPTURE(first.err);
  REQUIRE(first.exit_code == 130);
  CHECK(first.err.find("--resume parts") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(work / "parts/summary.json"));

  REQUIRE(work.run("train --resume parts --threads 2").exit_code == 0);
  const nlohmann::json parts = summary(work, "parts");
  CHECK(parts["weights_sha256"] == whole["weights_sha256"]);
  CHECK(parts["logits_sha256"] == whole["logits_sha256"]);
  CHECK(parts["resumed_at_steps"].size() == 1);
  CHECK(parts["resumed_at_steps"][0] > 0);
}

TEST_CASE(
    "--stop-after saves at the step, prints the weights' hash, and --resume goes on from there") {
  const Workplace work;
  const auto hash_at = [&](const std::string& line) {
    const Outcome outcome = work.run(line);
    CAPTURE(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    REQUIRE(outcome.out.rfind("weights_sha256 ", 0) == 0);
    return outcome.out;
  };
  REQUIRE(work.run(train("lenet_qat.yaml", "--threads 1 --out whole")).exit_code == 0);

  // 16 steps an epoch: step 32 is the last of the float phase, step 40 lies in qat.
  const std::string at40 = hash_at(train("lenet_qat.yaml", "--threads 1 --out a --stop-after 40"));
  const std::string at32 = hash_at(train("lenet_qat.yaml", "--threads 2 --out b --stop-after 32"));
  CHECK(at32 != at40);
  CHECK_FALSE(std::filesystem::exists(work / "b/summary.json"));
  CHECK(hash_at("train --resume b --threads 2 --stop-after 40") == at40);
  CHECK(work.run("train --resume b --stop-after 40").exit_code == 2);  // it is there
  REQUIRE(work.run("train --resume b --threads 2").exit_code == 0);
  CHECK(summary(work, "b")["weights_sha256"] == summary(work, "whole")["weights_sha256"]);
  CHECK(summary(work, "b")["resumed_at_steps"] == nlohmann::json{32, 40});
}

TEST_CASE("a run that diverges stops, names the layer, and leaves no summary") {
  const Workplace work;
  const Outcome outcome = work.run(train(
      "lenet.yaml", "--threads 1 --out run --set train.lr=1e30 --set train.schedule=constant"));
  CAPTURE(outcome.err);
  CHECK(outcome.exit_code == 1);
  CHECK(outcome.err.find("error: training diverged in phase float, epoch 1") != std::string::npos);
  CHECK(outcome.err.find("the output of conv2") != std::string::npos);
  CHECK(outcome.err.find("train.lr") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(work / "run/summary.json"));
}

TEST_CASE("eval takes the newest run, and --json prints one object with the documented keys") {
  const Workplace work;
  REQUIRE(
      work.run(train("lenet_qat.yaml", "--threads 1 --set train.epochs=0 --set quantize.epochs=0"))
          .exit_code == 0);
  const Outcome outcome = work.run("eval_ --int8 --json --threads 2 --batch 7");
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.find("runs/lenet_qat-001") != std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(outcome.out);
  CHECK(json["model"] == "lenet");
  CHECK(json["path"] == "runs/lenet_qat-001/model_int8.safetensors");
  CHECK(json["images"] == 200);
  CHECK(json["threads"] == 2);
  CHECK(json["file_bytes"] ==
        std::filesystem::file_size(work / "runs/lenet_qat-001/model_int8.safetensors"));
  CHECK(json["latency_ms"]["p50"] > 0.0);
  CHECK(json["latency_ms"]["p99"] >= json["latency_ms"]["p50"]);
  CHECK(json["logits_sha256"] == summary(work, "runs/lenet_qat-001")["logits_sha256"]);

  const nlohmann::json verified = nlohmann::json::parse(work.run("eval_ --verify --json").out);
  CHECK(verified["images"] == 200);
  CHECK(verified["mismatched"] == 0);
  CHECK(verified["max_lsb"] == 0);
  CHECK(verified["elements"] ==
        200 * (28 * 28 * 6 + 14 * 14 * 6 + 10 * 10 * 16 + 2 * 5 * 5 * 16 + 120 + 84 + 10));
  CHECK(verified["sqnr_db"] > 20.0);
  CHECK(verified["top1_agreement"] > 90.0);
  CHECK(work.run("eval_ --describe").out.find("conv2: QConv2d(pool1)") != std::string::npos);
}

TEST_CASE(
    "a run evaluates the forms and images that eval names, and proves its model in any case") {
  const Workplace work;
  const std::string base = "--threads 2 --set train.epochs=0 --set quantize.epochs=0";
  const Outcome usual = work.run(train("lenet_qat.yaml", base + " --out usual"));
  CHECK(usual.exit_code == 0);
  CHECK(usual.out.find("\nint8 ") != std::string::npos);
  CHECK(usual.out.find("\nfake-quant  ") == std::string::npos);  // a row of the table
  CHECK(usual.err.find("SQNR") == std::string::npos);
  const nlohmann::json json = summary(work, "usual");
  CHECK_FALSE(json.contains("fake_quant"));
  CHECK(json["fp32"]["images"] == 200);
  CHECK(json["proof"]["images"] == 200);  // there are no 256
  CHECK(json["proof"]["mismatched"] == 0);
  CHECK(json["proof"]["sqnr_db"] > 20.0);

  const Outcome chosen = work.run(
      train("lenet_qat.yaml", base + " --out chosen --set 'eval.forms=[int8, fake-quant]' --set "
                                     "eval.images=30 --set quantize.activation.bits=2 "
                                     "--set quantize.weight.bits=2"));
  CHECK(chosen.exit_code == 0);
  CHECK(chosen.err.find("warning: the SQNR of the logits is") != std::string::npos);
  const nlohmann::json two = summary(work, "chosen");
  CHECK_FALSE(two.contains("fp32"));
  CHECK(two["fake_quant"]["images"] == 30);
  CHECK(two["fake_quant"]["logits_sha256"] == two["int8"]["logits_sha256"]);
  CHECK(two["proof"]["images"] == 200);

  const Outcome wrong = work.run(train("lenet.yaml", "--set 'eval.forms=[int8]' --out wrong"));
  CHECK(wrong.exit_code == 2);
  CHECK(wrong.err.find("eval.forms: with quantize.method: none") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(work / "wrong"));
}

TEST_CASE("post-training quantization starts from the float model of another run") {
  const Workplace work;
  REQUIRE(work.run(train("lenet.yaml", "--threads 2 --out float")).exit_code == 0);
  REQUIRE(work.run(train("lenet_ptq.yaml",
                         "--threads 2 --out ptq --set train.epochs=0 "
                         "--set model.init_from=float/model_fp32.safetensors"))
              .exit_code == 0);
  CHECK(summary(work, "ptq")["fp32"]["logits_sha256"] ==
        summary(work, "float")["fp32"]["logits_sha256"]);
  CHECK(summary(work, "ptq")["int8"]["correct"] > 0);
  CHECK_FALSE(summary(work, "float").contains("int8"));

  // Against the float model it was made of: eval finds what the summary has.
  const nlohmann::json both = nlohmann::json::parse(
      work.run("eval_ ptq --fp32 --compare ptq --compare-form int8 --json").out);
  const nlohmann::json stated = summary(work, "ptq")["fp32_vs_int8"];
  CHECK(both["a"]["logits_sha256"] == summary(work, "float")["fp32"]["logits_sha256"]);
  CHECK(both["b"]["logits_sha256"] == summary(work, "ptq")["logits_sha256"]);
  for (const char* key :
       {"images", "same_prediction", "only_a_correct", "only_b_correct", "mcnemar_p"}) {
    CHECK(both[key] == stated[key]);
  }
  CHECK(both["a"]["correct"].get<int>() - both["b"]["correct"].get<int>() ==
        both["only_a_correct"].get<int>() - both["only_b_correct"].get<int>());
  const Outcome same = work.run("eval_ float --fp32 --compare ptq");
  CHECK(same.out.find("images 200  same prediction 200  only a correct 0  only b correct 0") !=
        std::string::npos);
}

TEST_SUITE_END();

}  // namespace octet::testing
