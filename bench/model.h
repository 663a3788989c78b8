#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/cpu.h"
#include "base/shape.h"
#include "bench/layer_shapes.h"
#include "bench/timing.h"

namespace octet {

// A whole model on synthetic images and labels, which are functions of the seed.
struct ModelRequest {
  enum class Mode { kTrain, kInfer };
  enum class Precision { kFp32, kBf16, kInt8 };

  std::string model;  // a name of models/registry.h
  Mode mode = Mode::kTrain;
  Precision precision = Precision::kFp32;
  Shape image_shape;  // [H, W, C]; rank 0: usual_image_shape(model)
  std::int64_t batch = 128;
  Isa isa = Isa::kScalar;
  TimingOptions timing{.repetitions = 5, .seconds = 5.0};
  std::uint64_t seed = 1;
};

// What was measured. Rates are of the median step.
struct ModelResult {
  ModelRequest request;
  int threads = 1;
  Timing timing;  // of one step, or one call of the model
  double gmac_per_image = 0.0;
  double peak_gmac_per_s = 0.0;  // measured before and after, the better; 0: no such peak
  std::int64_t peak_memory_bytes = 0;
  double page_faults_per_step = 0.0;  // after the second step

  double images_per_second() const;
  double gmac_per_s() const { return gmac_per_image * images_per_second(); }
};

// Training: forward, loss, backward, the gradients' norm and the step of SGD with Nesterov momentum
// and weight decay: what Trainer does with a batch, without loading, augmentation and logging.
// Inference: the float model on the float engine, batch norm folded, or the integer graph on the
// executor, converted after calibration on random images.
// Two steps warm up. Runs on num_threads() threads.
// Throws UsageError for an unknown model, a batch that cannot fit in memory, and a mode which the
// precision does not have.
ModelResult bench_model(const ModelRequest& request);

// What models of this name are trained on: 28 x 28 x 1 (MNIST) for LeNet, otherwise 32 x 32 x 3
// (CIFAR-10).
Shape usual_image_shape(const std::string& model);

nlohmann::ordered_json to_json(const ModelResult& result);
std::string to_table(const ModelResult& result);

const char* name_of(ModelRequest::Mode mode);
const char* name_of(ModelRequest::Precision precision);

}  // namespace octet
