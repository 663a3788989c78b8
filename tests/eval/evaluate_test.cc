#include "eval/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "data/in_memory.h"
#include "eval/float_agreement.h"

namespace octet {
namespace {

// What a model under test was asked to do.
struct Log {
  std::vector<std::int64_t> loaded, run;  // batch sizes
};

// Logits are chosen by the image's first pixel: a row of `rows`.
struct Stub {
  std::vector<std::vector<std::int32_t>> rows;
  float scale = 1.0f;
  Log* log = nullptr;
};

class StubRunner final : public FormRunner {
 public:
  explicit StubRunner(Stub stub) : stub_(std::move(stub)) {}
  void load(const Batch& batch) override {
    pixels_ = batch.pixels;
    if (stub_.log != nullptr) stub_.log->loaded.push_back(pixels_.dim(0));
  }
  void run() override {
    if (stub_.log != nullptr) stub_.log->run.push_back(pixels_.dim(0));
    logits_.clear();
    for (std::int64_t n = 0; n < pixels_.dim(0); ++n) {
      const auto& row = stub_.rows[pixels_.data<std::uint8_t>()[n]];
      logits_.insert(logits_.end(), row.begin(), row.end());
    }
  }
  Logits logits() const override {
    return {std::as_bytes(std::span(logits_)), DType::kI32, stub_.scale};
  }

 private:
  Stub stub_;
  Tensor pixels_;
  std::vector<std::int32_t> logits_;
};

EvaluatedModel model_of(Stub stub) {
  return {"int8", [stub](std::int64_t) { return std::make_unique<StubRunner>(stub); }};
}

const Normalization kUnit{{0.0f}, {1.0f}};

// Image i is one pixel of value i % 2, of class 1.
std::shared_ptr<const Dataset> images(std::int64_t count) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t i = 0; i < count; ++i) pixels.push_back(static_cast<std::uint8_t>(i % 2));
  return std::make_shared<InMemoryDataset>(
      Shape{1, 1, 1}, std::move(pixels),
      std::vector<std::int32_t>(static_cast<std::size_t>(count), 1),
      std::vector<std::string>{"a", "b", "c"});
}

}  // namespace

TEST_CASE("evaluate: every form is warmed up and measured by the same batches") {
  Log log;
  const EvaluatedModel model = model_of({{{0, 5, 5}, {1, 0, 0}}, 1.0f, &log});
  std::int64_t asked = 0;
  const Measurement m =
      evaluate(model, images(70), kUnit,
               {.batch = 32, .latency_images = 60, .before_batch = [&] { ++asked; }});
  std::vector<std::int64_t> expected = {32, 32, 32, 6};  // one to warm up, then all
  expected.insert(expected.end(), 50 + 60, 1);           // 50 to warm up, then 60
  CHECK(log.loaded == expected);
  CHECK(log.run == expected);
  CHECK(asked == 3 + 60);
  CHECK(m.form == "int8");
  CHECK(m.images == 70);
  CHECK(m.correct == 35);
  CHECK(m.predictions[0] == 1);  // the first of two equals
  CHECK(m.predictions[1] == 0);
  CHECK(m.latency.has_value());

  log = {};
  evaluate(model, images(3), kUnit, {.batch = 32, .latency_images = 0, .warm_up = false});
  CHECK(log.run == std::vector<std::int64_t>{3});
  CHECK_THROWS_AS(evaluate(model, images(0), kUnit, {}), Error);
}

TEST_CASE("float agreement: the SQNR of logits less their mean, and equal predictions") {
  const EvaluatedModel real = model_of({{{0, 100, 200}, {10, 0, -10}}});
  // In steps of two, the second image off by one step in one class, and each by a constant.
  const EvaluatedModel quantized = model_of({{{50, 100, 150}, {6, 0, -5}}, 2.0f});
  const FloatAgreement a = compare_with_float(quantized, real, images(4), kUnit, 3);
  CHECK(a.images == 4);
  CHECK(a.same_prediction == 4);
  // (12, 0, -10) less its mean is (34, -2, -32) / 3, and (10, 0, -10) was wanted.
  const double noise = 2.0 * (16.0 + 4.0 + 4.0) / 9.0, power = 2.0 * (20000.0 + 200.0);
  CHECK(a.sqnr_db == doctest::Approx(10.0 * std::log10(power / noise)));
  CHECK_FALSE(a.is_low());
  CHECK(to_json(a)["sqnr_db"] == a.sqnr_db);

  const FloatAgreement same = compare_with_float(real, real, images(4), kUnit, 4);
  CHECK(std::isinf(same.sqnr_db));
  CHECK_FALSE(same.is_low());
  CHECK(to_json(same)["sqnr_db"].is_null());

  // Saturated logits, as they were before the scale followed the bias.
  const EvaluatedModel saturated = model_of({{{0, 90, 90}, {0, 0, -10}}});
  const FloatAgreement low = compare_with_float(saturated, real, images(4), kUnit, 4);
  CHECK(low.is_low());
  CHECK(low.top1_agreement() == 50.0);
  CHECK(warning_of(low).find("below 20") != std::string::npos);
}

}  // namespace octet
