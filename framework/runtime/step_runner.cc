#include "runtime/step_runner.h"

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

// A piece of a step has at least so many products: finding the next one costs less than they do.
constexpr std::int64_t kPieceProducts = 600'000;
constexpr std::int64_t kMostPieces = SharedItems::kPieces;
constexpr int kMostThreads = ThreadPool::kMostThreads;

}  // namespace

StepRunner::StepRunner(StepList steps, Ends ends, const ValueTable& values, Options options)
    : steps_(std::move(steps)),
      ends_(ends),
      options_(options),
      pool_(std::clamp(options.threads, 1, kMostThreads)) {
  if (options.max_batch < 1 || options.threads < 1 || options.threads > kMostThreads) {
    throw UsageError(message("an executor needs max_batch >= 1 and threads between 1 and ",
                             kMostThreads, ", got ", options.max_batch, " and ", options.threads));
  }
  most_shared_ = options.max_batch;
  if (!options.share_always) {
    most_shared_ =
        options.threads == 1 ? 0 : std::min(most_shared_, kOwnImages * options.threads - 1);
    const std::int64_t share = (options.max_batch + options.threads - 1) / options.threads;
    if (options.max_batch > most_shared_) levels_ = levels_of(values.nodes, share);
  }
  // One arena for both: they never run at once.
  Plan shared_plan, own_plan;
  if (most_shared_ > 0) shared_plan = plan_arena(values, {{0, most_shared_}});
  if (!levels_.empty()) own_plan = plan_arena(values, levels_);
  const auto threads = static_cast<std::size_t>(options.threads);
  arena_ = AlignedBuffer(std::max<std::size_t>(
      shared_plan.arena_bytes, checked_mul(own_plan.arena_bytes, threads, "arena size")));
  if (most_shared_ > 0) shared_ = memory_of(values, shared_plan, 0);
  if (!levels_.empty()) make_own_passes(values, own_plan);

  std::size_t scratch_bytes = 0;
  for (const auto& step : steps_.steps) {
    scratch_bytes = std::max(scratch_bytes, step->scratch_bytes());
    products_ += step->products();
  }
  scratch_stride_ = (scratch_bytes + 63) / 64 * 64;
  scratch_ = AlignedBuffer(scratch_stride_ * threads);
}

void StepRunner::make_own_passes(const ValueTable& values, const Plan& plan) {
  crossing_ = plan.crossing;
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const auto end = std::find_if(steps_.nodes.begin(), steps_.nodes.end(), [&](std::size_t node) {
      return level_of(levels_, static_cast<std::int64_t>(node)) > level;
    });
    level_ends_.push_back(static_cast<std::size_t>(end - steps_.nodes.begin()));
  }
  for (std::size_t thread = 0; thread < static_cast<std::size_t>(options_.threads); ++thread) {
    OwnPass& own = own_.emplace_back();
    own.memory = memory_of(values, plan, thread * plan.arena_bytes);
    own.started.resize(levels_.size());
    for (const Plan::Crossing& value : crossing_)
      own.crossing.push_back(own.memory.write(value.id));
  }
}

Memory StepRunner::memory_of(const ValueTable& values, const Plan& plan, std::size_t first_byte) {
  Memory m;
  m.input_id = ends_.input;
  m.root = values.root;
  for (const std::size_t offset : plan.offsets) {
    m.places.push_back(offset == Plan::kNowhere ? nullptr : arena_.data() + first_byte + offset);
  }
  return m;
}

// Images [first, first + count) of the caller's.
void StepRunner::point_to(Memory& m, Batch batch, std::int64_t first,
                          std::int64_t count) const noexcept {
  m.batch = count;
  m.input = batch.input + static_cast<std::size_t>(first) * ends_.input_bytes;
  m.places[static_cast<std::size_t>(ends_.output)] =
      batch.output + static_cast<std::size_t>(first) * ends_.output_bytes;
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
  const int threads = threads_for(batch);
  if (batch <= most_shared_) {
    point_to(shared_, {input, output}, 0, batch);
    run_shared<kProfiled>(threads);
    return;
  }
  const auto pieces = std::clamp<std::int64_t>(batch / threads / kOwnImages, 1, kMostPieces);
  pool_.run(batch, threads, static_cast<int>(pieces),
            [&](std::int64_t begin, std::int64_t end, int thread) {
              run_levels<kProfiled>(levels_.size(), thread, {input, output}, begin, end - begin);
            });
}

// Images [first, first + count) of the thread's own through the first levels, so many at a time as
// the last of these takes.
template <bool kProfiled>
void StepRunner::run_levels(std::size_t levels, int thread, Batch batch, std::int64_t first,
                            std::int64_t count) noexcept {
  if (levels == 0) return;
  const std::size_t level = levels - 1;
  OwnPass& own = own_[static_cast<std::size_t>(thread)];
  const std::int64_t passes = (count + levels_[level].images - 1) / levels_[level].images;
  for (std::int64_t i = 0; i < passes; ++i) {
    const std::int64_t begin = first + count * i / passes, end = first + count * (i + 1) / passes;
    own.started[level] = begin;
    run_levels<kProfiled>(level, thread, batch, begin, end - begin);
    point_to(own.memory, batch, begin, end - begin);
    for (std::size_t c = 0; c < crossing_.size(); ++c) {
      const Plan::Crossing& value = crossing_[c];
      if (value.level < level) continue;
      const auto image = static_cast<std::size_t>(begin - own.started[value.level]);
      own.memory.places[static_cast<std::size_t>(value.id)] =
          own.crossing[c] + image * value.image_bytes;
    }
    for (std::size_t s = level == 0 ? 0 : level_ends_[level - 1]; s < level_ends_[level]; ++s) {
      run_step<kProfiled>(own.memory, s, thread, 0, steps_.steps[s]->items(own.memory.batch));
    }
  }
}

// The threads share every step of the batch in shared_.
template <bool kProfiled>
void StepRunner::run_shared(int threads) noexcept {
  for (std::size_t s = 0; s < steps_.steps.size(); ++s) {
    const Step& step = *steps_.steps[s];
    const std::int64_t items = step.items(shared_.batch);
    if (threads == 1) {
      run_step<kProfiled>(shared_, s, 0, 0, items);
      continue;
    }
    const std::int64_t share = step.products() * shared_.batch / threads;
    const auto pieces = std::clamp<std::int64_t>(share / kPieceProducts, 1, kMostPieces);
    const std::int64_t begin_ns = kProfiled ? now_ns() : 0;
    pool_.run(items, threads, static_cast<int>(pieces),
              [&](std::int64_t begin, std::int64_t end, int thread) {
                run_step<kProfiled>(shared_, s, thread, begin, end);
              });
    if constexpr (kProfiled) {  // who got nothing has waited for the others
      for (int thread = 0; thread < threads; ++thread) {
        std::vector<StepTime>& of_thread = (*times_)[static_cast<std::size_t>(thread)];
        if (of_thread.empty() || of_thread.back().step != s)
          of_thread.push_back({s, begin_ns, begin_ns});
      }
    }
  }
}

// The items [begin, end) of a step. An ordinary run has no clock in its code.
template <bool kProfiled>
void StepRunner::run_step(const Memory& memory, std::size_t s, int thread, std::int64_t begin,
                          std::int64_t end) noexcept {
  std::byte* scratch = scratch_.data() + static_cast<std::size_t>(thread) * scratch_stride_;
  if constexpr (!kProfiled) {
    steps_.steps[s]->run(memory, begin, end, scratch);
  } else {
    const std::int64_t begin_ns = now_ns();
    steps_.steps[s]->run(memory, begin, end, scratch);
    (*times_)[static_cast<std::size_t>(thread)].push_back({s, begin_ns, now_ns()});
  }
}

}  // namespace octet
