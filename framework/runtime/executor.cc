#include "runtime/executor.h"

#include <omp.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "file/checked.h"
#include "runtime/planner.h"
#include "runtime/step.h"

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
std::int64_t images_per_pass(const ir::Graph& graph, const Fusion& fusion) {
  constexpr std::size_t kPassBytes = 6 << 20;
  constexpr std::int64_t kLeast = 12, kMost = 96;
  const std::size_t one = std::max<std::size_t>(1, make_plan(graph, fusion, 1, false).arena_bytes);
  return std::clamp(static_cast<std::int64_t>(kPassBytes / one), kLeast, kMost);
}

}  // namespace

struct Executor::Impl {
  std::shared_ptr<const PackedModel> model;
  Options options;
  Fusion fusion;
  std::int64_t pass = 0;  // images at a time where each thread has its own, 0: it never has
  Memory together;        // where all threads share the steps of up to `most_together` images
  std::int64_t most_together = 0;
  std::vector<Memory> own;  // by thread
  AlignedBuffer arena;
  std::size_t scratch_stride = 0;  // from one thread's scratch to the next's
  AlignedBuffer scratch;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<std::size_t> step_nodes;                  // the node that each step was made of
  std::vector<std::vector<StepTime>>* times = nullptr;  // of run_profiled

  Impl(std::shared_ptr<const PackedModel> packed, Options asked)
      : model(std::move(packed)),
        options(asked),
        fusion(options.keep_values ? Fusion(model->graph.nodes.size()) : fuse_adds(model->graph)) {
    const ir::Graph& graph = model->graph;
    most_together = options.max_batch;
    if (!options.keep_values) {
      most_together =
          options.threads == 1 ? 0 : std::min(most_together, kOwnImages * options.threads - 1);
      const std::int64_t share = (options.max_batch + options.threads - 1) / options.threads;
      if (options.max_batch > most_together) pass = std::min(share, images_per_pass(graph, fusion));
    }
    // One arena for both: they never run at once.
    const Plan plan =
        make_plan(graph, fusion, std::max<std::int64_t>(1, most_together), options.keep_values);
    const Plan own_plan = make_plan(graph, fusion, std::max<std::int64_t>(1, pass), false);
    const auto threads = static_cast<std::size_t>(options.threads);
    const std::size_t own_bytes = pass == 0 ? 0 : own_plan.arena_bytes;
    arena = AlignedBuffer(std::max(most_together == 0 ? 0 : plan.arena_bytes,
                                   checked_mul(own_bytes, threads, "arena size")));
    together = memory_of(plan, 0);
    for (std::size_t thread = 0; pass > 0 && thread < threads; ++thread) {
      own.push_back(memory_of(own_plan, thread * own_bytes));
    }

    std::size_t scratch_bytes = 0;
    for (std::size_t i = 0; i < model->graph.nodes.size(); ++i) {
      std::unique_ptr<Step> step = lower(*model, i, fusion);
      if (step == nullptr) continue;
      scratch_bytes = std::max(scratch_bytes, step->scratch_bytes());
      steps.push_back(std::move(step));
      step_nodes.push_back(i);
    }
    scratch_stride = (scratch_bytes + 63) / 64 * 64;
    scratch = AlignedBuffer(scratch_stride * static_cast<std::size_t>(options.threads));
  }

  Memory memory_of(const Plan& plan, std::size_t first_byte) {
    Memory m;
    m.input_id = model->graph.input;
    m.root = plan.root;
    for (const std::size_t offset : plan.offsets) {
      m.places.push_back(offset == Plan::kNowhere ? nullptr : arena.data() + first_byte + offset);
    }
    return m;
  }

  // Images [first, first + count) of the caller's.
  void point_to(Memory& m, const std::byte* images, std::int64_t first, std::int64_t count,
                std::int32_t* logits) noexcept {
    const ir::Graph& g = model->graph;
    const ir::Value &x = g.value(g.input), &y = g.value(g.output);
    m.batch = count;
    m.input = images + static_cast<std::size_t>(first * x.shape.numel()) * size_of(x.dtype);
    m.places[static_cast<std::size_t>(g.output)] =
        reinterpret_cast<std::byte*>(logits + first * y.shape.numel());
  }

  template <bool kProfiled>
  void run(const std::byte* images, std::int64_t batch, std::int32_t* logits) noexcept {
    if (batch <= most_together) {
      point_to(together, images, 0, batch, logits);
      if (options.keep_values) {
        const ir::Value& input = model->graph.value(model->graph.input);
        std::memcpy(together.write(model->graph.input), images,
                    size_of(input.dtype) * static_cast<std::size_t>(batch * input.shape.numel()));
      }
    }
    if (options.threads == 1) {
      run_thread<kProfiled>(0, 1, images, batch, logits);
      return;
    }
#pragma omp parallel num_threads(options.threads)
    run_thread<kProfiled>(omp_get_thread_num(), omp_get_num_threads(), images, batch, logits);
  }

  template <bool kProfiled>
  void run_thread(std::int64_t thread, std::int64_t threads, const std::byte* images,
                  std::int64_t batch, std::int32_t* logits) noexcept {
    std::byte* own_scratch = scratch.data() + static_cast<std::size_t>(thread) * scratch_stride;
    if (batch <= most_together) {
      run_share<kProfiled>(thread, threads, own_scratch);
      return;
    }
    Memory& m = own[static_cast<std::size_t>(thread)];
    const std::int64_t begin = batch * thread / threads;
    const std::int64_t count = batch * (thread + 1) / threads - begin;
    const std::int64_t passes = (count + pass - 1) / pass;
    for (std::int64_t i = 0; i < passes; ++i) {
      const std::int64_t first = count * i / passes, last = count * (i + 1) / passes;
      point_to(m, images, begin + first, last - first, logits);
      for (std::size_t s = 0; s < steps.size(); ++s) {
        run_step<kProfiled>(m, s, thread, 0, steps[s]->items(m.batch), own_scratch);
      }
    }
  }

  // One thread's part of every step; the threads wait for each other after each.
  template <bool kProfiled>
  void run_share(std::int64_t thread, std::int64_t threads, std::byte* own_scratch) noexcept {
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const std::int64_t items = steps[s]->items(together.batch);
      run_step<kProfiled>(together, s, thread, items * thread / threads,
                          items * (thread + 1) / threads, own_scratch);
      if (threads == 1) continue;
#pragma omp barrier
    }
  }

  // The items [begin, end) of a step. An ordinary run has no clock in its code.
  template <bool kProfiled>
  void run_step(const Memory& memory, std::size_t s, std::int64_t thread, std::int64_t begin,
                std::int64_t end, std::byte* own_scratch) noexcept {
    if constexpr (!kProfiled) {
      steps[s]->run(memory, begin, end, own_scratch);
    } else {
      const std::int64_t begin_ns = now_ns();
      steps[s]->run(memory, begin, end, own_scratch);
      (*times)[static_cast<std::size_t>(thread)].push_back({s, begin_ns, now_ns()});
    }
  }
};

Executor::Executor(std::shared_ptr<const PackedModel> model, Options options) {
  OCTET_CHECK(model != nullptr, "an executor needs a packed model");
  if (options.max_batch < 1 || options.threads < 1 || options.threads > 1024) {
    throw UsageError(
        message("an executor needs max_batch >= 1 and threads between 1 and 1024, got ",
                options.max_batch, " and ", options.threads));
  }
  impl_ = std::make_unique<Impl>(std::move(model), options);
}

Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;

void Executor::run(std::span<const std::uint8_t> images, std::int64_t batch,
                   std::span<std::int32_t> logits) noexcept {
  [[maybe_unused]] const ir::Graph& g = impl_->model->graph;
  assert(g.value(g.input).dtype == DType::kU8);
  assert(batch >= 1 && batch <= impl_->options.max_batch);
  assert(static_cast<std::int64_t>(images.size()) == batch * g.value(g.input).shape.numel());
  assert(static_cast<std::int64_t>(logits.size()) == batch * g.value(g.output).shape.numel());
  impl_->run<false>(reinterpret_cast<const std::byte*>(images.data()), batch, logits.data());
}

void Executor::run(std::span<const float> images, std::int64_t batch,
                   std::span<std::int32_t> logits) noexcept {
  [[maybe_unused]] const ir::Graph& g = impl_->model->graph;
  assert(g.value(g.input).dtype == DType::kF32);
  assert(batch >= 1 && batch <= impl_->options.max_batch);
  assert(static_cast<std::int64_t>(images.size()) == batch * g.value(g.input).shape.numel());
  assert(static_cast<std::int64_t>(logits.size()) == batch * g.value(g.output).shape.numel());
  impl_->run<false>(reinterpret_cast<const std::byte*>(images.data()), batch, logits.data());
}

void Executor::run_profiled(std::span<const std::byte> input, std::int64_t batch,
                            std::span<std::int32_t> logits,
                            std::vector<std::vector<StepTime>>& times) noexcept {
  [[maybe_unused]] const ir::Graph& g = impl_->model->graph;
  [[maybe_unused]] const ir::Value& x = g.value(g.input);
  assert(batch >= 1 && batch <= impl_->options.max_batch);
  assert(input.size() == static_cast<std::size_t>(batch * x.shape.numel()) * size_of(x.dtype));
  assert(static_cast<std::int64_t>(logits.size()) == batch * g.value(g.output).shape.numel());
  times.resize(static_cast<std::size_t>(impl_->options.threads));
  for (auto& of_thread : times) of_thread.clear();
  impl_->times = &times;
  impl_->run<true>(input.data(), batch, logits.data());
}

std::vector<std::vector<std::size_t>> Executor::steps() const {
  const std::vector<ir::Node>& nodes = impl_->model->graph.nodes;
  std::vector<std::vector<std::size_t>> computed;
  for (const std::size_t node : impl_->step_nodes) computed.push_back({node});
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& own = impl_->step_nodes;
    if (std::find(own.begin(), own.end(), i) != own.end()) continue;
    if (std::holds_alternative<ir::Flatten>(nodes[i].op)) continue;
    for (std::size_t s = 0; s < own.size(); ++s) {
      const auto& inputs = nodes[own[s]].inputs;
      if (std::find(inputs.begin(), inputs.end(), nodes[i].output) == inputs.end()) continue;
      computed[s].insert(computed[s].begin(), i);
      break;
    }
  }
  return computed;
}

std::span<const std::uint8_t> Executor::value(ir::ValueId id) const {
  const ir::Graph& g = impl_->model->graph;
  OCTET_CHECK(impl_->options.keep_values,
              "values are read from an executor made with Options::keep_values");
  OCTET_CHECK(
      id >= 0 && static_cast<std::size_t>(id) < g.values.size() && g.value(id).dtype == DType::kU8,
      "value ", id, " is not one of the graph's U8 values");
  const Memory& memory = impl_->together;
  const ir::ValueId root = memory.root[static_cast<std::size_t>(id)];
  return {memory.codes_to_write(root),
          static_cast<std::size_t>(memory.batch * g.value(id).shape.numel())};
}

std::size_t Executor::arena_bytes() const { return impl_->arena.size_bytes(); }

}  // namespace octet
