#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "ir/graph.h"
#include "runtime/least_products.h"
#include "runtime/step_time.h"

namespace octet {

// A validated graph with its weights packed for one instruction set. Immutable; executors on
// several threads share it.
class PackedModel;

// Validates and packs. Throws Error if the graph is not valid, or UsageError if this CPU lacks
// `isa`.
std::shared_ptr<const PackedModel> pack_model(const ir::Graph& graph, Isa isa);

// Runs an integer graph. The constructor plans one arena and builds a flat list of steps; `run`
// throws nothing and allocates only when it starts threads. The results depend on neither
// instruction set, threads nor batch size. One executor is used by one thread at a time.
class Executor {
 public:
  struct Options {
    std::int64_t max_batch = 1;
    int threads = 1;
    // A thread that would have fewer multiply-accumulates in a run than these is left out.
    std::int64_t least_products = kLeastProducts;
    bool keep_values =
        false;  // every value keeps its own memory, so that `value` may read it after `run`
  };

  Executor(std::shared_ptr<const PackedModel> model, Options options);
  ~Executor();
  Executor(Executor&&) noexcept;
  Executor& operator=(Executor&&) noexcept;

  // images: [batch, H, W, C] u8 pixels. logits: [batch, classes]. 1 <= batch <= max_batch.
  void run(std::span<const std::uint8_t> images, std::int64_t batch,
           std::span<std::int32_t> logits) noexcept;

  // For graphs whose first op is Quantize: images are float.
  void run(std::span<const float> images, std::int64_t batch,
           std::span<std::int32_t> logits) noexcept;

  using StepTime = octet::StepTime;

  // As run, with the clock read around every step on every thread.
  //   input: the bytes of u8 or float images
  //   times: by thread, in the order of time; none for threads that took no part. Memory
  //   is allocated for them, less often when the vectors of an earlier run are passed again.
  void run_profiled(std::span<const std::byte> input, std::int64_t batch,
                    std::span<std::int32_t> logits,
                    std::vector<std::vector<StepTime>>& times) noexcept;

  // The nodes (indices into the graph's) that each step computes, in execution order. One, as a
  // rule; a node that runs in the step of the one that reads it is listed there.
  std::vector<std::vector<std::size_t>> steps() const;

  // The codes of a value after `run`, batch * numel bytes. Needs Options::keep_values; throws Error
  // otherwise, and for values that are not U8.
  std::span<const std::uint8_t> value(ir::ValueId id) const;

  // Bytes of the arena, without weights.
  std::size_t arena_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octet
