#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "runtime/least_products.h"
#include "runtime/planner.h"
#include "runtime/step.h"
#include "runtime/step_time.h"

namespace octet {

// Takes batches through a list of steps, integer or float ones. The constructor plans one arena;
// `run` throws nothing, and allocates only when it starts threads: the first time that it wants
// them (base/thread_pool.h). With few images the threads share every step, and the next one begins
// when all of it is done; with enough of them each thread takes images of its own through all
// steps, level by level (levels.h); what is too little to share is computed by the calling thread
// alone. Used by one thread at a time.
class StepRunner {
 public:
  struct Options {
    std::int64_t max_batch = 1;
    int threads = 1;
    std::int64_t least_products = kLeastProducts;  // of a thread's share
    bool share_always = false;  // whatever the batch: then all values of a run are in `shared()`
  };
  // The values at both ends, which the caller owns; sizes are of one image.
  struct Ends {
    ir::ValueId input = 0, output = 0;  // the output is a root (Plan::root)
    std::size_t input_bytes = 0, output_bytes = 0;
  };

  // Throws UsageError for a max_batch below 1, or threads beyond 1 to 1024.
  StepRunner(StepList steps, Ends ends, const ValueTable& values, Options options);

  // input: batch * input_bytes, output: batch * output_bytes; 1 <= batch <= max_batch
  void run(const std::byte* input, std::int64_t batch, std::byte* output) noexcept;

  // As run, with the clock read around every step on every thread.
  //   times: by thread, in the order of time; none for threads that did not take part. Memory
  //   is allocated for them, less often when the vectors of an earlier run are passed again.
  void run_profiled(const std::byte* input, std::int64_t batch, std::byte* output,
                    std::vector<std::vector<StepTime>>& times) noexcept;

  // Where values are in a run whose steps are shared.
  const Memory& shared() const { return shared_; }

  const StepList& steps() const { return steps_; }

  std::size_t arena_bytes() const { return arena_.size_bytes(); }

 private:
  // One thread's way through the levels with images of its own.
  struct OwnPass {
    Memory memory;
    std::vector<std::byte*> crossing;   // where each of crossing_ begins
    std::vector<std::int64_t> started;  // by level: the first image of what runs there now
  };
  struct Batch {
    const std::byte* input;
    std::byte* output;
  };

  int threads_for(std::int64_t batch) const noexcept;
  Memory memory_of(const ValueTable& values, const Plan& plan, std::size_t first_byte);
  void point_to(Memory& m, Batch batch, std::int64_t first, std::int64_t count) const noexcept;
  void make_own_passes(const ValueTable& values, const Plan& plan);
  template <bool kProfiled>
  void run_all(const std::byte* input, std::int64_t batch, std::byte* output) noexcept;
  template <bool kProfiled>
  void run_levels(std::size_t levels, int thread, Batch batch, std::int64_t first,
                  std::int64_t count) noexcept;
  template <bool kProfiled>
  void run_shared(int threads) noexcept;
  template <bool kProfiled>
  void run_step(const Memory& memory, std::size_t s, int thread, std::int64_t begin,
                std::int64_t end) noexcept;

  StepList steps_;
  Ends ends_;
  Options options_;
  Memory shared_;                 // where all threads share the steps of up to most_shared_ images
  std::int64_t products_ = 0;     // of one image, in all steps
  std::int64_t most_shared_ = 0;  // 0: they never do
  std::vector<Level> levels_;     // where each thread has its own; none: it never has
  std::vector<std::size_t> level_ends_;  // in steps
  std::vector<Plan::Crossing> crossing_;
  std::vector<OwnPass> own_;  // by thread
  AlignedBuffer arena_;
  std::size_t scratch_stride_ = 0;  // from one thread's scratch to the next's
  AlignedBuffer scratch_;
  std::vector<std::vector<StepTime>>* times_ = nullptr;  // of run_profiled
  ThreadPool pool_;                                      // the last: its threads use the others
};

}  // namespace octet
