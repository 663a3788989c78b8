#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "bench/layer_shapes.h"
#include "bench/timing.h"
#include "ops/autocast.h"

namespace octet {

// The float32 or bf16 kernels (kernels/f32/conv2d.h, kernels/bf16/conv2d.h) on every distinct layer
// of a model, alone: its products, without batch norm, activation and whatever else the layer does.
enum class Pass { kForward, kDataGradient, kWeightGradient };

struct LayersRequest {
  std::string model;  // a name of models/registry.h
  std::vector<Pass> passes;
  Precision precision = Precision::kFp32;
  Shape image_shape;  // [H, W, C]; rank 0: usual_image_shape(model)
  std::int64_t batch = 128;
  Isa isa = Isa::kScalar;
  TimingOptions timing{.repetitions = 5, .seconds = 0.1};
};

struct LayerResult {
  LayerShape layer;
  double gmac = 0.0;  // of one pass over the batch
  // In the order of the request's passes; none for the data gradient of a layer that reads the
  // image.
  std::vector<std::optional<Timing>> timings;
};

struct LayersResult {
  LayersRequest request;
  int threads = 1;
  double peak_gmac_per_s = 0.0;  // measured before and after, the better; 0: no such peak
  std::vector<LayerResult> layers;
};

// Throws UsageError for an unknown model.
LayersResult bench_layers(const LayersRequest& request);

nlohmann::ordered_json to_json(const LayersResult& result);
std::string to_table(const LayersResult& result);

const char* name_of(Pass pass);            // "forward", "dgrad", "wgrad"
const char* name_of(Precision precision);  // "fp32", "bf16"

}  // namespace octet
