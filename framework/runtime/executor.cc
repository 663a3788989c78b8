#include "runtime/executor.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/fusion.h"
#include "runtime/packed_model.h"
#include "runtime/planner.h"
#include "runtime/step_runner.h"

namespace octet {

struct Executor::Impl {
  std::shared_ptr<const PackedModel> model;
  Options options;
  Fusion fusion;
  StepRunner runner;

  Impl(std::shared_ptr<const PackedModel> packed, Options asked)
      : model(std::move(packed)),
        options(asked),
        fusion(options.keep_values ? Fusion(model->graph.nodes.size()) : model->fusion),
        runner(lower_all(), ends(), values_of(model->graph, fusion, options.keep_values),
               {options.max_batch, options.threads, options.least_products, options.keep_values}) {}

  StepList lower_all() const {
    StepList list;
    for (std::size_t i = 0; i < model->graph.nodes.size(); ++i)
      list.add(i, lower(*model, i, fusion));
    return list;
  }

  StepRunner::Ends ends() const {
    const ir::Graph& g = model->graph;
    const ir::Value &x = g.value(g.input), &y = g.value(g.output);
    return {g.input, g.output, static_cast<std::size_t>(x.shape.numel()) * size_of(x.dtype),
            static_cast<std::size_t>(y.shape.numel()) * sizeof(std::int32_t)};
  }

  void run(const std::byte* images, std::int64_t batch, std::int32_t* logits) noexcept {
    if (options.keep_values) {
      std::memcpy(runner.shared().write(model->graph.input), images,
                  ends().input_bytes * static_cast<std::size_t>(batch));
    }
    runner.run(images, batch, reinterpret_cast<std::byte*>(logits));
  }
};

Executor::Executor(std::shared_ptr<const PackedModel> model, Options options) {
  OCTET_CHECK(model != nullptr, "an executor needs a packed model");
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

void Executor::run_profiled(std::span<const std::byte> input, std::int64_t batch,
                            std::span<std::int32_t> logits,
                            std::vector<std::vector<StepTime>>& times) noexcept {
  [[maybe_unused]] const ir::Graph& g = impl_->model->graph;
  [[maybe_unused]] const ir::Value& x = g.value(g.input);
  assert(batch >= 1 && batch <= impl_->options.max_batch);
  assert(input.size() == static_cast<std::size_t>(batch * x.shape.numel()) * size_of(x.dtype));
  assert(static_cast<std::int64_t>(logits.size()) == batch * g.value(g.output).shape.numel());
  impl_->runner.run_profiled(input.data(), batch, reinterpret_cast<std::byte*>(logits.data()),
                             times);
}

std::vector<std::vector<std::size_t>> Executor::steps() const {
  const std::vector<ir::Node>& nodes = impl_->model->graph.nodes;
  const std::vector<std::size_t>& own = impl_->runner.steps().nodes;
  std::vector<std::vector<std::size_t>> computed;
  for (const std::size_t node : own) computed.push_back({node});
  for (std::size_t i = 0; i < nodes.size(); ++i) {
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
  const Memory& memory = impl_->runner.shared();
  const ir::ValueId root = memory.root[static_cast<std::size_t>(id)];
  return {memory.codes_to_write(root),
          static_cast<std::size_t>(memory.batch * g.value(id).shape.numel())};
}

std::size_t Executor::arena_bytes() const { return impl_->runner.arena_bytes(); }

}  // namespace octet
