#include "eval/evaluate_module.h"

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "autograd/node.h"
#include "data/loader.h"
#include "eval/load_data.h"
#include "file/sha256.h"
#include "inference/float_executor.h"

namespace octet {
namespace {

template <class T>
void add_predictions(const Tensor& logits, const Tensor& labels, Measurement& m) {
  const std::int64_t classes = logits.dim(1);
  for (std::int64_t n = 0; n < logits.dim(0); ++n) {
    m.predictions.push_back(argmax(logits.data<T>() + n * classes, classes));
    m.correct += m.predictions.back() == labels.data<std::int32_t>()[n] ? 1 : 0;
  }
}

// `input` turns a batch into what the model takes; T is the type of its logits.
template <class T>
Measurement evaluate(const char* form, const std::function<Tensor(const Tensor&)>& model,
                     std::shared_ptr<const Dataset> dataset, const Normalization& normalization,
                     const EvaluateOptions& options,
                     const std::function<Tensor(const Batch&)>& input) {
  Measurement m;
  m.form = form;
  m.images = dataset->size();
  m.threads = options.threads;
  m.batch = options.batch;
  m.isa = name_of(process_isa());

  const DataLoader loader(dataset, {.batch_size = options.batch, .normalization = normalization});
  Sha256 hash;
  double forward_ms = 0.0;
  for (std::int64_t b = 0; b < loader.batches(); ++b) {
    options.before_batch();
    const Batch batch = loader.batch(0, b);
    const Tensor x = input(batch);
    const Clock::time_point start = Clock::now();
    const Tensor logits = model(x);
    forward_ms += milliseconds_since(start);
    hash.update(logits.bytes());
    add_predictions<T>(logits, batch.labels, m);
  }
  m.images_per_second = 1000.0 * static_cast<double>(m.images) / forward_ms;
  m.logits_sha256 = hash.hex();

  if (options.latency_images > 0) {
    const DataLoader single(dataset, {.batch_size = 1, .normalization = normalization});
    std::vector<double> times;
    for (std::int64_t i = 0; i < std::min(options.latency_images, single.batches()); ++i) {
      options.before_batch();
      const Tensor x = input(single.batch(0, i));
      const Clock::time_point start = Clock::now();
      model(x);
      times.push_back(milliseconds_since(start));
    }
    m.latency = latency_of(std::move(times));
  }
  return m;
}

}  // namespace

Measurement evaluate_float(Module& model, std::shared_ptr<const Dataset> dataset,
                           const Normalization& normalization, const EvaluateOptions& options) {
  FloatExecutor executor(pack_float_model(model, dataset->image_shape(), process_isa()),
                         {.max_batch = options.batch, .threads = options.threads});
  const auto run = [&](const Tensor& images) {
    Tensor logits = Tensor::empty({images.dim(0), executor.output_shape().numel()});
    executor.run({images.data(), static_cast<std::size_t>(images.numel())}, images.dim(0),
                 {logits.mutable_data(), static_cast<std::size_t>(logits.numel())});
    return logits;
  };
  return evaluate<float>("float", run, std::move(dataset), normalization, options,
                         [](const Batch& batch) { return batch.images; });
}

Measurement evaluate_fake_quant(Module& prepared, std::shared_ptr<const Dataset> dataset,
                                const Normalization& normalization,
                                const EvaluateOptions& options) {
  const NoGradGuard no_grad;
  const bool was_training = prepared.is_training();
  prepared.eval();
  const auto codes = [encoding = input_encoding(normalization)](const Batch& batch) {
    const std::span pixels(batch.pixels.data<std::uint8_t>(),
                           static_cast<std::size_t>(batch.pixels.numel()));
    return qat::input_codes(pixels, batch.pixels.shape(), encoding);
  };
  const Measurement m = evaluate<std::int32_t>(
      "fake-quant", [&](const Tensor& x) { return prepared(x); }, std::move(dataset), normalization,
      options, codes);
  prepared.train(was_training);
  return m;
}

}  // namespace octet
