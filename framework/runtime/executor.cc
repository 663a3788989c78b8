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
#include "runtime/planner.h"
#include "runtime/step.h"

namespace octet {
namespace {

std::int64_t now_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

struct Executor::Impl {
  std::shared_ptr<const PackedModel> model;
  Options options;
  Plan plan;
  AlignedBuffer arena;
  std::size_t scratch_stride = 0;  // from one thread's scratch to the next's
  AlignedBuffer scratch;
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<std::size_t> step_nodes;  // the node that each step was made of
  Memory memory;
  std::vector<std::vector<StepTime>>* times = nullptr;  // of run_profiled

  Impl(std::shared_ptr<const PackedModel> packed, Options asked)
      : model(std::move(packed)),
        options(asked),
        plan(make_plan(model->graph, options.max_batch, options.keep_values)),
        arena(plan.arena_bytes) {
    std::size_t scratch_bytes = 0;
    for (std::size_t i = 0; i < model->graph.nodes.size(); ++i) {
      std::unique_ptr<Step> step = lower(*model, i);
      if (step == nullptr) continue;
      scratch_bytes = std::max(scratch_bytes, step->scratch_bytes());
      steps.push_back(std::move(step));
      step_nodes.push_back(i);
    }
    scratch_stride = (scratch_bytes + 63) / 64 * 64;
    scratch = AlignedBuffer(scratch_stride * static_cast<std::size_t>(options.threads));

    memory.input_id = model->graph.input;
    memory.root = plan.root;
    for (const std::size_t offset : plan.offsets) {
      memory.places.push_back(offset == Plan::kNowhere ? nullptr : arena.data() + offset);
    }
  }

  template <bool kProfiled>
  void run(const std::byte* images, std::int64_t batch, std::int32_t* logits) noexcept {
    memory.batch = batch;
    memory.input = images;
    memory.places[static_cast<std::size_t>(model->graph.output)] =
        reinterpret_cast<std::byte*>(logits);
    if (options.keep_values) {
      const ir::Value& input = model->graph.value(memory.input_id);
      std::memcpy(memory.write(memory.input_id), images,
                  size_of(input.dtype) * static_cast<std::size_t>(batch * input.shape.numel()));
    }
    if (options.threads == 1) {
      for (std::size_t s = 0; s < steps.size(); ++s) {
        run_step<kProfiled>(s, 0, 0, steps[s]->items(batch), scratch.data());
      }
      return;
    }
#pragma omp parallel num_threads(options.threads)
    run_share<kProfiled>(omp_get_thread_num(), omp_get_num_threads());
  }

  // One thread's part of every step; the threads wait for each other after each.
  template <bool kProfiled>
  void run_share(std::int64_t thread, std::int64_t threads) noexcept {
    std::byte* own_scratch = scratch.data() + static_cast<std::size_t>(thread) * scratch_stride;
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const std::int64_t items = steps[s]->items(memory.batch);
      run_step<kProfiled>(s, thread, items * thread / threads, items * (thread + 1) / threads,
                          own_scratch);
#pragma omp barrier
    }
  }

  // The items [begin, end) of a step. An ordinary run has no clock in its code.
  template <bool kProfiled>
  void run_step(std::size_t s, std::int64_t thread, std::int64_t begin, std::int64_t end,
                std::byte* own_scratch) noexcept {
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
  const Memory& memory = impl_->memory;
  const ir::ValueId root = memory.root[static_cast<std::size_t>(id)];
  return {memory.codes_to_write(root),
          static_cast<std::size_t>(memory.batch * g.value(id).shape.numel())};
}

std::size_t Executor::arena_bytes() const { return impl_->plan.arena_bytes; }

}  // namespace octet
