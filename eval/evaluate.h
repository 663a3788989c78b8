#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/cpu.h"
#include "data/loader.h"
#include "eval/measurement.h"

// How every form of a model is measured, so that their figures can be compared.
namespace octet {

struct EvaluateOptions {
  std::int64_t batch = 64;
  int threads = 1;
  Isa isa = Isa::kScalar;
  std::int64_t latency_images = 1000;  // measured one by one; 0 leaves the latency out
  bool warm_up = true;                 // off where nobody looks at the speed
  // Called before each batch, by the thread that evaluates: what it throws ends the evaluation.
  std::function<void()> before_batch = [] {};
};

// The result of a batch as the form gives it: float32, or int32 of a common scale.
struct Logits {
  std::span<const std::byte> bytes;  // [images, classes], little-endian
  DType dtype = DType::kF32;
  float scale = 1.0f;

  std::int64_t count() const { return static_cast<std::int64_t>(bytes.size() / 4); }
  // The element `i` as the real number that it stands for.
  double real(std::int64_t i) const;
  // Index of the largest of `classes` logits of image n; the lowest index wins ties.
  std::int32_t prediction(std::int64_t n, std::int64_t classes) const;
};

// A model in one of its forms, with memory for batches of some size.
class FormRunner {
 public:
  virtual ~FormRunner() = default;
  // Brings a batch into the form that `run` takes. What this takes is not measured.
  virtual void load(const Batch& batch) = 0;
  // Runs the batch that was loaded.
  virtual void run() = 0;
  // Of the last run, valid until the next.
  virtual Logits logits() const = 0;
};

struct EvaluatedModel {
  std::string form;  // "float", "fake-quant" or "int8"
  std::function<std::unique_ptr<FormRunner>(std::int64_t max_batch)> make_runner;
};

// Runs a model over a whole dataset: accuracy, rate, latency at batch 1, and the hash of the
// logits. One protocol for all forms: the rate counts FormRunner::run over all batches, after one
// that is not counted; the latency counts it for up to `latency_images` images one by one, after
// the first 50 of them: of a slow model for those of 5 seconds, but at least 100. Throws Error if
// the dataset has no images.
Measurement evaluate(const EvaluatedModel& model, std::shared_ptr<const Dataset> dataset,
                     const Normalization& normalization, const EvaluateOptions& options);

// Index of the largest logit; the lowest index wins ties.
template <class T>
std::int32_t argmax(const T* logits, std::int64_t classes) {
  std::int64_t best = 0;
  for (std::int64_t c = 1; c < classes; ++c) {
    if (logits[c] > logits[best]) best = c;
  }
  return static_cast<std::int32_t>(best);
}

}  // namespace octet
