#include "inference/float_executor.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/float_environment.h"
#include "file/checked.h"
#include "inference/float_model.h"
#include "runtime/step_runner.h"

namespace octet {
namespace {

// Flatten and dropout rename a value: both names share memory.
std::vector<ir::ValueId> roots_of(const FloatModel& model) {
  std::vector<ir::ValueId> root(model.shapes.size());
  std::iota(root.begin(), root.end(), 0);
  for (const FloatNode& node : model.nodes) {
    if (!std::holds_alternative<FloatIdentity>(node.form)) continue;
    root[static_cast<std::size_t>(node.output)] = root[static_cast<std::size_t>(node.inputs[0])];
  }
  return root;
}

ValueTable values_of(const FloatModel& model) {
  ValueTable table;
  table.root = roots_of(model);
  const auto root = [&](ir::ValueId id) { return table.root[static_cast<std::size_t>(id)]; };
  const auto bytes = [&](ir::ValueId id) {
    return checked_size_bytes(model.shape(id), DType::kF32, "value");
  };
  std::vector<ArenaValue> alive(table.root.size());
  std::vector<bool> made(table.root.size());
  const auto nodes = static_cast<std::int64_t>(model.nodes.size());
  for (std::int64_t i = 0; i < nodes; ++i) {
    const FloatNode& node = model.nodes[static_cast<std::size_t>(i)];
    NodeWork& work = table.nodes.emplace_back();
    work.value_bytes = bytes(node.output);
    for (const ir::ValueId id : node.inputs) {
      alive[static_cast<std::size_t>(root(id))].last = i;
      work.value_bytes = checked_add(work.value_bytes, bytes(id), "value");
    }
    if (std::holds_alternative<FloatConv2d>(node.form))
      work.rows = rows_of(model.shape(node.output));
    if (root(node.output) != node.output) continue;
    alive[static_cast<std::size_t>(node.output)] = {node.output, bytes(node.output), i, i};
    made[static_cast<std::size_t>(node.output)] = node.output != root(model.output);
  }
  for (std::size_t id = 0; id < alive.size(); ++id) {
    if (made[id]) table.in_arena.push_back(alive[id]);
  }
  return table;
}

StepRunner::Ends ends_of(const FloatModel& model) {
  const ir::ValueId output = roots_of(model)[static_cast<std::size_t>(model.output)];
  OCTET_CHECK(output > 0, "[inference] the model has no layer that computes its result");
  return {0, output, sizeof(float) * static_cast<std::size_t>(model.shape(0).numel()),
          sizeof(float) * static_cast<std::size_t>(model.shape(output).numel())};
}

// A step of ours, on whichever thread: integer steps are not slowed down.
class FloatStep final : public Step {
 public:
  explicit FloatStep(std::unique_ptr<Step> step) : step_(std::move(step)) {}

  std::int64_t items(std::int64_t batch) const noexcept override { return step_->items(batch); }
  std::int64_t products() const noexcept override { return step_->products(); }
  std::size_t scratch_bytes() const noexcept override { return step_->scratch_bytes(); }
  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte* scratch) const noexcept override {
    const FloatEnvironment environment;
    step_->run(memory, begin, end, scratch);
  }

 private:
  const std::unique_ptr<Step> step_;
};

}  // namespace

struct FloatExecutor::Impl {
  std::shared_ptr<const FloatModel> model;
  Options options;
  StepRunner runner;

  Impl(std::shared_ptr<const FloatModel> packed, Options asked)
      : model(std::move(packed)),
        options(asked),
        runner(lower_all(), ends_of(*model), values_of(*model),
               {options.max_batch, options.threads, options.least_products}) {}

  StepList lower_all() const {
    StepList list;
    for (std::size_t i = 0; i < model->nodes.size(); ++i) {
      std::unique_ptr<Step> step = lower(*model, model->nodes[i]);
      if (step != nullptr) list.add(i, std::make_unique<FloatStep>(std::move(step)));
    }
    return list;
  }

  void check([[maybe_unused]] std::span<const float> images, [[maybe_unused]] std::int64_t batch,
             [[maybe_unused]] std::span<float> result) const noexcept {
    assert(batch >= 1 && batch <= options.max_batch);
    assert(static_cast<std::int64_t>(images.size()) == batch * model->shape(0).numel());
    assert(static_cast<std::int64_t>(result.size()) == batch * model->shape(model->output).numel());
  }
};

FloatExecutor::FloatExecutor(std::shared_ptr<const FloatModel> model, Options options) {
  OCTET_CHECK(model != nullptr, "an executor needs a packed model");
  impl_ = std::make_unique<Impl>(std::move(model), options);
}

FloatExecutor::~FloatExecutor() = default;
FloatExecutor::FloatExecutor(FloatExecutor&&) noexcept = default;
FloatExecutor& FloatExecutor::operator=(FloatExecutor&&) noexcept = default;

void FloatExecutor::run(std::span<const float> images, std::int64_t batch,
                        std::span<float> result) noexcept {
  impl_->check(images, batch, result);
  impl_->runner.run(std::as_bytes(images).data(), batch, std::as_writable_bytes(result).data());
}

void FloatExecutor::run_profiled(std::span<const float> images, std::int64_t batch,
                                 std::span<float> result,
                                 std::vector<std::vector<StepTime>>& times) noexcept {
  impl_->check(images, batch, result);
  impl_->runner.run_profiled(std::as_bytes(images).data(), batch,
                             std::as_writable_bytes(result).data(), times);
}

const std::vector<std::size_t>& FloatExecutor::steps() const { return impl_->runner.steps().nodes; }

const Shape& FloatExecutor::output_shape() const {
  return impl_->model->shape(impl_->model->output);
}

}  // namespace octet
