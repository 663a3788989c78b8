// ResNet-20 from the command line: the way of configs/resnet20_qat.yaml, on eight small photos.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/programs/photos.h"

namespace octet::testing {
namespace {

const std::string kTrain =
    "train --config " OCTET_SOURCE_DIR
    "/configs/resnet20_qat.yaml --set data.name=image_folder --set data.root=photos "
    "--set 'data.image_shape=[16, 16, 3]' --set data.batch_size=4 --set train.epochs=3 "
    "--set train.ema_decay=0.9 --set train.bn_reestimate_batches=2 --set quantize.epochs=2 "
    "--set quantize.freeze_observer_epoch=1 --set quantize.freeze_bn_epoch=1 ";

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("resnet20: float, averaged, quantized and verified, whatever the number of threads") {
  const Workplace work;
  write_photos(work, "across", "upright");
  const Outcome one = work.run(kTrain + "--threads 1 --out one");
  CAPTURE(one.err);
  REQUIRE(one.exit_code == 0);
  CHECK(one.err.find("batch norm re-estimated over 2 batches") != std::string::npos);
  REQUIRE(work.run(kTrain + "--threads 3 --out three").exit_code == 0);
  for (const char* key : {"weights_sha256", "logits_sha256"}) {
    CHECK(summary(work, "one")[key] == summary(work, "three")[key]);
  }

  const nlohmann::json verified =
      nlohmann::json::parse(work.run("eval_ one --verify --json --threads 2").out);
  CHECK(verified["images"] == 8);
  CHECK(verified["mismatched"] == 0);
  // Per image and stage: the stem or the projection, and three tensors a block.
  const std::int64_t stage1 = (1 + 3 * 3) * 16 * 16 * 16;
  const std::int64_t stage2 = (1 + 3 * 3) * 8 * 8 * 32, stage3 = (1 + 3 * 3) * 4 * 4 * 64;
  CHECK(verified["elements"] == 8 * (stage1 + stage2 + stage3 + 64 + 64 + 2));

  // The statistics were computed anew: without that the float model is another one.
  REQUIRE(
      work.run(kTrain + "--threads 2 --out stale --set train.bn_reestimate_batches=0").exit_code ==
      0);
  CHECK(summary(work, "stale")["fp32"]["logits_sha256"] !=
        summary(work, "one")["fp32"]["logits_sha256"]);
}

TEST_CASE("resnet20: batches of one image, and batches larger than the training set, train") {
  const Workplace work;
  write_photos(work, "across", "upright");
  const std::string train = kTrain + "--threads 2 --set train.bn_reestimate_batches=0 ";
  const Outcome one = work.run(train + "--set data.batch_size=1 --out one");
  CAPTURE(one.err);
  REQUIRE(one.exit_code == 0);
  CHECK(summary(work, "one")["steps"] == 8 * (3 + 2));
  const Outcome many = work.run(train + "--set data.batch_size=1000 --out many");
  CAPTURE(many.err);
  REQUIRE(many.exit_code == 0);
  CHECK(summary(work, "many")["steps"] == 3 + 2);  // all images at once
}

TEST_CASE("resnet50: images that its strides do not divide are an error, and no run appears") {
  const Workplace work;
  const Outcome outcome =
      work.run("train --config " OCTET_SOURCE_DIR
               "/configs/resnet50.yaml --set data.name=mnist_sample --threads 1");
  CHECK(outcome.exit_code == 1);
  CHECK(outcome.err.find("multiples of 8, got shape [28, 28, 1]") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(work / "runs"));
}

TEST_SUITE_END();

}  // namespace octet::testing
