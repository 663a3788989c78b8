#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/cpu.h"
#include "nn/module.h"
#include "runtime/least_products.h"
#include "runtime/step_time.h"

namespace octet {

// A float model with batch norm folded into its weights, packed for one instruction set. Immutable;
// executors on several threads share it.
class FloatModel;

// Runs the model once in evaluation mode on an empty image and takes the float form of each leaf
// (nn/float_form.h) that was called. The module may be changed or deleted afterwards.
//   image_shape: [H, W, C]
// Throws Error that names the layer for a leaf without a float form or prepared for quantization,
// and for whatever trace() refuses; UsageError if this CPU lacks `isa`.
std::shared_ptr<const FloatModel> pack_float_model(Module& model, const Shape& image_shape,
                                                   Isa isa);

// Runs a float model as Executor runs an integer graph: one planned arena, a flat list of steps;
// `run` throws nothing and allocates only when it starts threads. The bits of the results depend
// on neither instruction set, threads nor batch size. One executor is used by one thread at a time.
class FloatExecutor {
 public:
  struct Options {
    std::int64_t max_batch = 1;
    int threads = 1;
    // A thread that would have fewer multiply-accumulates in a run than these is left out.
    std::int64_t least_products = kLeastProducts;
  };

  // Throws UsageError for a max_batch below 1, or threads beyond 1 to 1024.
  FloatExecutor(std::shared_ptr<const FloatModel> model, Options options);
  ~FloatExecutor();
  FloatExecutor(FloatExecutor&&) noexcept;
  FloatExecutor& operator=(FloatExecutor&&) noexcept;

  // images: [batch, H, W, C]      result: [batch, output_shape()]      1 <= batch <= max_batch
  void run(std::span<const float> images, std::int64_t batch, std::span<float> result) noexcept;

  // As run, with the clock read around every step on every thread (Executor::run_profiled).
  void run_profiled(std::span<const float> images, std::int64_t batch, std::span<float> result,
                    std::vector<std::vector<StepTime>>& times) noexcept;

  // The node (an index into the model's) that each step computes, in execution order.
  const std::vector<std::size_t>& steps() const;

  // Of one image's result: [classes].
  const Shape& output_shape() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octet
