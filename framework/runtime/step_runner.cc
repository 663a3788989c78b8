#include "runtime/step_runner.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.h"
#include "file/checked.h"

namespace octet {
namespace {

std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// With so many images for each thread, every thread takes its own through all steps: no barriers,
// and what a step writes is still in the cache of the core that reads it.
constexpr std::int64_t kOwnImages = 6;

// Images that a thread takes through the steps at a time: their values stay in the last level
// cache, while the weights are read once per pass.
std::int64_t images_per_pass(std::size_t arena_bytes_of_one) {
  constexpr std::size_t kPassBytes = 6 << 20;
  constexpr std::int64_t kLeast = 12, kMost = 96;
  const std::size_t one = std::max<std::size_t>(1, arena_bytes_of_one);
  return std::clamp(static_cast<std::int64_t>(kPassBytes / one), kLeast, kMost);
}

}  // namespace

StepRunner::StepRunner(std::vector<std::unique_ptr<Step>> steps, Ends ends,
                       const std::function<Plan(std::int64_t images)>& plan, Options options)
    : steps_(std::move(steps)), ends_(ends), options_(options) {
  if (options.max_batch < 1 || options.threads < 1 || options.threads > 1024) {
    throw UsageError(
        message("an executor needs max_batch >= 1 and threads between 1 and 1024, got ",
                options.max_batch, " and ", options.threads));
  }
  most_shared_ = options.max_batch;
  if (!options.share_always) {
    most_shared_ =
        options.threads == 1 ? 0 : std::min(most_shared_, kOwnImages * options.threads - 1);
    const std::int64_t share = (options.max_batch + options.threads - 1) / options.threads;
    if (options.max_batch > most_shared_) {
      pass_ = std::min(share, images_per_pass(plan(1).arena_bytes));
    }
  }
  // One arena for both: they never run at once.
  const Plan shared_plan = plan(std::max<std::int64_t>(1, most_shared_));
  const Plan own_plan = plan(std::max<std::int64_t>(1, pass_));
  const auto threads = static_cast<std::size_t>(options.threads);
  const std::size_t own_bytes = pass_ == 0 ? 0 : own_plan.arena_bytes;
  arena_ = AlignedBuffer(std::max(most_shared_ == 0 ? 0 : shared_plan.arena_bytes,
                                  checked_mul(own_bytes, threads, "arena size")));
  shared_ = memory_of(shared_plan, 0);
  for (std::size_t thread = 0; pass_ > 0 && thread < threads; ++thread) {
    own_.push_back(memory_of(own_plan, thread * own_bytes));
  }

  std::size_t scratch_bytes = 0;
  for (const auto& step : steps_) {
    scratch_bytes = std::max(scratch_bytes, step->scratch_bytes());
    products_ += step->products();
  }
  scratch_stride_ = (scratch_bytes + 63) / 64 * 64;
  scratch_ = AlignedBuffer(scratch_stride_ * threads);
}

Memory StepRunner::memory_of(const Plan& plan, std::size_t first_byte) {
  Memory m;
  m.input_id = ends_.input;
  m.root = plan.root;
  for (const std::size_t offset : plan.offsets) {
    m.places.push_back(offset == Plan::kNowhere ? nullptr : arena_.data() + first_byte + offset);
  }
  return m;
}

// Images [first, first + count) of the caller's.
void StepRunner::point_to(Memory& m, const std::byte* input, std::int64_t first, std::int64_t count,
                          std::byte* output) const noexcept {
  m.batch = count;
  m.input = input + static_cast<std::size_t>(first) * ends_.input_bytes;
  m.places[static_cast<std::size_t>(ends_.output)] =
      output + static_cast<std::size_t>(first) * ends_.output_bytes;
}

int StepRunner::threads_for(std::int64_t batch) const noexcept {
  const std::int64_t least = std::max<std::int64_t>(1, options_.least_products);
  return static_cast<int>(std::clamp<std::int64_t>(batch * products_ / least, 1, options_.threads));
}

void StepRunner::run(const std::byte* input, std::int64_t batch, std::byte* output) noexcept {
  run_all<false>(input, batch, output);
}

void StepRunner::run_profiled(const std::byte* input, std::int64_t batch, std::byte* output,
                              std::vector<std::vector<StepTime>>& times) noexcept {
  times.resize(static_cast<std::size_t>(options_.threads));
  for (auto& of_thread : times) of_thread.clear();
  times_ = &times;
  run_all<true>(input, batch, output);
}

template <bool kProfiled>
void StepRunner::run_all(const std::byte* input, std::int64_t batch, std::byte* output) noexcept {
  if (batch <= most_shared_) point_to(shared_, input, 0, batch, output);
  const int threads = threads_for(batch);
  if (threads == 1) {
    run_thread<kProfiled>(0, 1, input, batch, output);
    return;
  }
#pragma omp parallel num_threads(threads)
  run_thread<kProfiled>(omp_get_thread_num(), omp_get_num_threads(), input, batch, output);
}

template <bool kProfiled>
void StepRunner::run_thread(std::int64_t thread, std::int64_t threads, const std::byte* input,
                            std::int64_t batch, std::byte* output) noexcept {
  std::byte* scratch = scratch_.data() + static_cast<std::size_t>(thread) * scratch_stride_;
  if (batch <= most_shared_) {
    run_share<kProfiled>(thread, threads, scratch);
    return;
  }
  Memory& m = own_[static_cast<std::size_t>(thread)];
  const std::int64_t begin = batch * thread / threads;
  const std::int64_t count = batch * (thread + 1) / threads - begin;
  const std::int64_t passes = (count + pass_ - 1) / pass_;
  for (std::int64_t i = 0; i < passes; ++i) {
    const std::int64_t first = count * i / passes, last = count * (i + 1) / passes;
    point_to(m, input, begin + first, last - first, output);
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      run_step<kProfiled>(m, s, thread, 0, steps_[s]->items(m.batch), scratch);
    }
  }
}

// One thread's part of every step; the threads wait for each other after each.
template <bool kProfiled>
void StepRunner::run_share(std::int64_t thread, std::int64_t threads, std::byte* scratch) noexcept {
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const std::int64_t items = steps_[s]->items(shared_.batch);
    run_step<kProfiled>(shared_, s, thread, items * thread / threads,
                        items * (thread + 1) / threads, scratch);
    if (threads == 1) continue;
#pragma omp barrier
  }
}

// The items [begin, end) of a step. An ordinary run has no clock in its code.
template <bool kProfiled>
void StepRunner::run_step(const Memory& memory, std::size_t s, std::int64_t thread,
                          std::int64_t begin, std::int64_t end, std::byte* scratch) noexcept {
  if constexpr (!kProfiled) {
    steps_[s]->run(memory, begin, end, scratch);
  } else {
    const std::int64_t begin_ns = now_ns();
    steps_[s]->run(memory, begin, end, scratch);
    (*times_)[static_cast<std::size_t>(thread)].push_back({s, begin_ns, now_ns()});
  }
}

}  // namespace octet
