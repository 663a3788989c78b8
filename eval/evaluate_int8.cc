#include "eval/evaluate_int8.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "base/error.h"
#include "file/sha256.h"
#include "runtime/executor.h"

namespace octet {
namespace {

Latency measure_latency(const std::shared_ptr<const PackedModel>& model, const Dataset& dataset,
                        std::int64_t classes, const EvaluateOptions& options) {
  Executor executor(model, {.max_batch = 1, .threads = options.threads});
  std::vector<std::int32_t> logits(static_cast<std::size_t>(classes));
  const std::int64_t count = std::min(options.latency_images, dataset.size()),
                     warm_up = std::min<std::int64_t>(50, count);
  for (std::int64_t i = 0; i < warm_up; ++i) executor.run(dataset.get(i).pixels, 1, logits);
  std::vector<double> times;
  for (std::int64_t i = 0; i < count; ++i) {
    options.before_batch();
    const std::span<const std::uint8_t> pixels = dataset.get(i).pixels;
    const Clock::time_point start = Clock::now();
    executor.run(pixels, 1, logits);
    times.push_back(milliseconds_since(start));
  }
  return latency_of(std::move(times));
}

}  // namespace

Measurement evaluate_int8(const ir::Graph& graph, const Dataset& dataset,
                          const EvaluateOptions& options) {
  const Shape& expected = graph.value(graph.input).shape;
  OCTET_CHECK(dataset.image_shape() == expected, "the model takes images of shape ", expected,
              ", the dataset has ", dataset.image_shape());
  OCTET_CHECK(dataset.size() > 0, "the dataset has no images");
  const std::int64_t classes = graph.value(graph.output).shape.numel(), pixels = expected.numel();
  const auto model = pack_model(graph, options.isa);
  Executor executor(model, {.max_batch = options.batch, .threads = options.threads});

  Measurement m;
  m.form = "int8";
  m.model = graph.model;
  m.threads = options.threads;
  m.batch = options.batch;
  m.isa = name_of(options.isa);
  std::vector<std::uint8_t> images(static_cast<std::size_t>(options.batch * pixels));
  std::vector<std::int32_t> logits(static_cast<std::size_t>(options.batch * classes));
  Sha256 hash;
  double run_ms = 0.0;
  for (std::int64_t first = 0; first < dataset.size(); first += options.batch) {
    options.before_batch();
    const std::int64_t count = std::min(options.batch, dataset.size() - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const Sample sample = dataset.get(first + i);
      std::copy(sample.pixels.begin(), sample.pixels.end(), images.begin() + i * pixels);
    }
    const std::span<std::int32_t> batch_logits(logits.data(),
                                               static_cast<std::size_t>(count * classes));
    const Clock::time_point start = Clock::now();
    executor.run(
        std::span<const std::uint8_t>(images.data(), static_cast<std::size_t>(count * pixels)),
        count, batch_logits);
    run_ms += milliseconds_since(start);
    hash.update(std::as_bytes(batch_logits));
    for (std::int64_t i = 0; i < count; ++i) {
      m.predictions.push_back(argmax(logits.data() + i * classes, classes));
      m.correct += m.predictions.back() == dataset.get(first + i).label ? 1 : 0;
    }
  }
  m.images = dataset.size();
  m.images_per_second = 1000.0 * static_cast<double>(m.images) / run_ms;
  m.logits_sha256 = hash.hex();
  if (options.latency_images > 0) m.latency = measure_latency(model, dataset, classes, options);
  return m;
}

}  // namespace octet
