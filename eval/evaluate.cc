#include "eval/evaluate.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "file/sha256.h"

namespace octet {
namespace {

constexpr std::int64_t kWarmUpImages = 50;
// A slow model is measured for so long, but never by fewer images.
constexpr double kLatencyMs = 5000.0;
constexpr std::size_t kLeastLatencyImages = 100;

Latency measure_latency(const EvaluatedModel& model, const DataLoader& images,
                        const EvaluateOptions& options) {
  const std::unique_ptr<FormRunner> runner = model.make_runner(1);
  const std::int64_t count = std::min(options.latency_images, images.batches());
  for (std::int64_t i = 0; i < std::min(kWarmUpImages, count); ++i) {
    runner->load(images.batch(0, i));
    runner->run();
  }
  std::vector<double> times;
  double total_ms = 0.0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (total_ms > kLatencyMs && times.size() >= kLeastLatencyImages) break;
    options.before_batch();
    runner->load(images.batch(0, i));
    const Clock::time_point start = Clock::now();
    runner->run();
    times.push_back(milliseconds_since(start));
    total_ms += times.back();
  }
  return latency_of(std::move(times));
}

}  // namespace

double Logits::real(std::int64_t i) const {
  if (dtype == DType::kF32) return reinterpret_cast<const float*>(bytes.data())[i];
  return double{scale} * reinterpret_cast<const std::int32_t*>(bytes.data())[i];
}

std::int32_t Logits::prediction(std::int64_t n, std::int64_t classes) const {
  const std::byte* row = bytes.data() + n * classes * 4;
  return dtype == DType::kF32 ? argmax(reinterpret_cast<const float*>(row), classes)
                              : argmax(reinterpret_cast<const std::int32_t*>(row), classes);
}

Measurement evaluate(const EvaluatedModel& model, std::shared_ptr<const Dataset> dataset,
                     const Normalization& normalization, const EvaluateOptions& options) {
  OCTET_CHECK(dataset->size() > 0, "the dataset has no images");
  Measurement m;
  m.form = model.form;
  m.images = dataset->size();
  m.threads = options.threads;
  m.batch = options.batch;
  m.isa = name_of(options.isa);
  const DataLoader loader(dataset, {.batch_size = options.batch, .normalization = normalization});
  const std::unique_ptr<FormRunner> runner = model.make_runner(options.batch);
  if (options.warm_up) {
    runner->load(loader.batch(0, 0));
    runner->run();
  }
  Sha256 hash;
  double run_ms = 0.0;
  for (std::int64_t b = 0; b < loader.batches(); ++b) {
    options.before_batch();
    const Batch batch = loader.batch(0, b);
    runner->load(batch);
    const Clock::time_point start = Clock::now();
    runner->run();
    run_ms += milliseconds_since(start);
    const Logits logits = runner->logits();
    hash.update(logits.bytes);
    const std::int64_t count = batch.labels.numel(), classes = logits.count() / count;
    for (std::int64_t n = 0; n < count; ++n) {
      m.predictions.push_back(logits.prediction(n, classes));
      m.correct += m.predictions.back() == batch.labels.data<std::int32_t>()[n] ? 1 : 0;
    }
  }
  m.images_per_second = 1000.0 * static_cast<double>(m.images) / run_ms;
  m.logits_sha256 = hash.hex();
  if (options.latency_images > 0) {
    const DataLoader single(dataset, {.batch_size = 1, .normalization = normalization});
    m.latency = measure_latency(model, single, options);
  }
  return m;
}

}  // namespace octet
