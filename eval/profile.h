#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "ir/graph.h"
#include "nn/module.h"
#include "runtime/step_time.h"

namespace octet {

using StepTimes = std::vector<std::vector<StepTime>>;  // by thread

struct ProfileOptions {
  std::int64_t batch = 64;
  int threads = 1;
  Isa isa = Isa::kScalar;
  double seconds = 1.0;  // how long to measure, after a warm-up; at least 5 runs, at most 1000
};

// One step of an executor: a node, or several that run in one.
struct ProfiledStep {
  std::string name;       // "conv1", "layer1.0.conv3 + layer1.0.add"
  std::string op;         // "QConv2d", "QConv2d + QAdd", "Conv2d"
  std::string shape;      // "28x28x1 -> 28x28x6, 5x5"
  std::string kernel;     // the function that computes: "u8s8_gemm_4x16_avx2", "max_pool2d_u8"
  std::int64_t macs = 0;  // multiply-accumulates of the whole batch, products with padding counted
  double ms = 0.0;        // of a run, median; mean of the threads, waiting for each other included
};

// Where the time of a model goes.
struct Profile {
  std::string model;
  std::string isa;
  std::int64_t batch = 1;
  int threads = 1;
  std::int64_t runs = 0;
  std::vector<ProfiledStep> steps;
  double run_ms =
      0.0;  // median of ordinary runs in turns with the profiled ones: without the clock
  StepTimes median_run;  // of median length

  double steps_ms() const;  // sum over the steps
};

// Runs the integer graph, or the float model with batch norm folded, on random images again and
// again, every other time with the clock read around each step (about 20 ns each). Times do not
// depend on what the images show.
//   name: of the model, for the output      image_shape: [H, W, C]
Profile profile_int8(const ir::Graph& graph, const ProfileOptions& options);
Profile profile_fp32(Module& module, const std::string& name, const Shape& image_shape,
                     const ProfileOptions& options);

// What `eval --profile` prints. peak_gmac_per_s: what this CPU can do at most with these threads
// and instruction set (bench/peak.h), for the share of it; 0 leaves the share out.
std::string to_table(const Profile& profile, double peak_gmac_per_s);
nlohmann::ordered_json to_json(const Profile& profile, double peak_gmac_per_s);

// The median run as a Chrome trace (chrome://tracing, Perfetto): one row a thread, one slice a
// step.
nlohmann::ordered_json to_trace(const Profile& profile);

}  // namespace octet
