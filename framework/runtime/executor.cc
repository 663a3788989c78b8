#include "runtime/executor.h"

#include <omp.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/error.h"
#include "runtime/planner.h"
#include "runtime/step.h"

namespace octet {

struct Executor::Impl {
  std::shared_ptr<const PackedModel> model;
  Options options;
  Fusion fusion;
  Plan plan;
  AlignedBuffer arena;
  std::size_t scratch_stride = 0;  // from one thread's scratch to the next's
  AlignedBuffer scratch;
  std::vector<std::unique_ptr<Step>> steps;
  Memory memory;

  Impl(std::shared_ptr<const PackedModel> packed, Options asked)
      : model(std::move(packed)),
        options(asked),
        fusion(options.keep_values ? Fusion(model->graph.nodes.size()) : fuse_adds(model->graph)),
        plan(make_plan(model->graph, fusion, options.max_batch, options.keep_values)),
        arena(plan.arena_bytes) {
    std::size_t scratch_bytes = 0;
    for (std::size_t i = 0; i < model->graph.nodes.size(); ++i) {
      std::unique_ptr<Step> step = lower(*model, i, fusion);
      if (step == nullptr) continue;
      scratch_bytes = std::max(scratch_bytes, step->scratch_bytes());
      steps.push_back(std::move(step));
    }
    scratch_stride = (scratch_bytes + 63) / 64 * 64;
    scratch = AlignedBuffer(scratch_stride * static_cast<std::size_t>(options.threads));

    memory.input_id = model->graph.input;
    memory.root = plan.root;
    for (const std::size_t offset : plan.offsets) {
      memory.places.push_back(offset == Plan::kNowhere ? nullptr : arena.data() + offset);
    }
  }

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
      for (const auto& step : steps) step->run(memory, 0, step->items(batch), scratch.data());
      return;
    }
#pragma omp parallel num_threads(options.threads)
    run_share(omp_get_thread_num(), omp_get_num_threads());
  }

  // One thread's part of every step; the threads wait for each other after each.
  void run_share(std::int64_t thread, std::int64_t threads) noexcept {
    std::byte* own_scratch = scratch.data() + static_cast<std::size_t>(thread) * scratch_stride;
    for (const auto& step : steps) {
      const std::int64_t items = step->items(memory.batch);
      step->run(memory, items * thread / threads, items * (thread + 1) / threads, own_scratch);
#pragma omp barrier
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
  impl_->run(reinterpret_cast<const std::byte*>(images.data()), batch, logits.data());
}

void Executor::run(std::span<const float> images, std::int64_t batch,
                   std::span<std::int32_t> logits) noexcept {
  [[maybe_unused]] const ir::Graph& g = impl_->model->graph;
  assert(g.value(g.input).dtype == DType::kF32);
  assert(batch >= 1 && batch <= impl_->options.max_batch);
  assert(static_cast<std::int64_t>(images.size()) == batch * g.value(g.input).shape.numel());
  assert(static_cast<std::int64_t>(logits.size()) == batch * g.value(g.output).shape.numel());
  impl_->run(reinterpret_cast<const std::byte*>(images.data()), batch, logits.data());
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
