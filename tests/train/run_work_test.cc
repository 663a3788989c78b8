#include "train/run_work.h"

#include "tests/testing.h"

namespace octet {
namespace {

constexpr std::int64_t kBatches = 10, kImages = 1280;

Config qat_config() {
  Config config;
  config.train.epochs = 3;
  config.quantize.method = QuantizeConfig::Method::kQat;
  config.quantize.epochs = 2;
  return config;
}

RunSizes sizes(std::int64_t test_images = 1000) {
  return {.batches = kBatches, .images = kImages, .test_images = test_images, .areas = {}};
}

RunState at(const char* phase, std::int64_t epoch, std::int64_t batch) {
  RunState state;
  state.phase = phase;
  state.epoch = epoch;
  state.batch = batch;
  return state;
}

}  // namespace

TEST_SUITE_BEGIN("train");

TEST_CASE("run work: float training alone counts its images, and the evaluation") {
  Config config;
  config.train.epochs = 3;
  const RunWork work(config, sizes(0));
  CHECK(work.left(at("float", 0, 0)) == doctest::Approx(3 * kImages));
  CHECK(work.left(at("float", 1, 5)) == doctest::Approx(1.5 * kImages));
  CHECK(work.left(at("float", 3, 0)) == doctest::Approx(0));
  CHECK(work.left(at("done", 0, 0)) == doctest::Approx(0));
  CHECK(RunWork(config, sizes(1000)).left(at("done", 0, 0)) > 0);
}

TEST_CASE("run work: in the float phase, calibration, QAT and evaluation are still to come") {
  const RunWork work(qat_config(), sizes());
  const double before_qat = work.left(at("float", 3, 0));
  const double qat = work.left(at("quantize", 0, 0));
  CHECK(before_qat > qat);  // calibration
  CHECK(qat > 2 * kImages);
  CHECK(work.left(at("float", 0, 0)) == doctest::Approx(3 * kImages + before_qat));
  CHECK(work.left(at("quantize", 2, 0)) == doctest::Approx(work.left(at("done", 0, 0))));
  CHECK(work.left(at("done", 0, 0)) > 0);
}

TEST_CASE("run work: every step and epoch leaves less, to the end") {
  Config config = qat_config();
  config.train.bn_reestimate_batches = 4;
  RunSizes all = sizes();
  all.validation_images = 200;
  all.areas = {0.25, 0.5, 1.0};
  const RunWork work(config, all);
  double before = work.left(at("float", 0, 0)) + 1;
  for (const char* phase : {"float", "quantize"}) {
    for (std::int64_t epoch = 0; epoch < (std::string(phase) == "float" ? 3 : 2); ++epoch) {
      for (std::int64_t batch = 0; batch <= kBatches; ++batch) {
        CAPTURE(phase);
        CAPTURE(epoch);
        CAPTURE(batch);
        const double left = work.left(at(phase, epoch, batch));
        CHECK(left < before);
        before = left;
      }
    }
  }
  CHECK(work.left(at("done", 0, 0)) < before);
}

TEST_CASE("run work: an image of half the side counts a quarter") {
  Config config;
  config.train.epochs = 2;
  RunSizes growing = sizes(0);
  growing.areas = {0.25, 1.0};
  const RunWork work(config, growing);
  CHECK(work.left(at("float", 0, 0)) == doctest::Approx(1.25 * kImages));
  CHECK(work.left(at("float", 0, 5)) == doctest::Approx(1.125 * kImages));
  CHECK(work.left(at("float", 1, 5)) == doctest::Approx(0.5 * kImages));
}

TEST_CASE("run work: with stop_after it ends there, in either phase") {
  const RunWork in_float(qat_config(), sizes(), 15);
  CHECK(in_float.left(at("float", 0, 0)) == doctest::Approx(1.5 * kImages));
  CHECK(in_float.left(at("float", 1, 5)) == doctest::Approx(0));

  const RunWork whole(qat_config(), sizes()), in_qat(qat_config(), sizes(), 35);
  CHECK(in_qat.left(at("quantize", 0, 5)) == doctest::Approx(0));
  CHECK(in_qat.left(at("float", 0, 0)) ==
        doctest::Approx(whole.left(at("float", 0, 0)) - whole.left(at("quantize", 0, 5))));
  // More steps than the run has: it never stops.
  const RunWork never(qat_config(), sizes(), 51);
  CHECK(never.left(at("float", 0, 0)) == doctest::Approx(whole.left(at("float", 0, 0))));
}

TEST_SUITE_END();

}  // namespace octet
