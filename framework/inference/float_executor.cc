#include "inference/float_executor.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"
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

Plan plan_of(const FloatModel& model, std::int64_t images) {
  Plan plan;
  plan.root = roots_of(model);
  const auto root = [&](ir::ValueId id) { return plan.root[static_cast<std::size_t>(id)]; };
  std::vector<Interval> alive(plan.root.size());
  std::vector<bool> made(plan.root.size());
  const auto steps = static_cast<std::int64_t>(model.nodes.size());
  for (std::int64_t step = 0; step < steps; ++step) {
    const FloatNode& node = model.nodes[static_cast<std::size_t>(step)];
    for (const ir::ValueId id : node.inputs) alive[static_cast<std::size_t>(root(id))].last = step;
    if (root(node.output) != node.output) continue;
    const auto output = static_cast<std::size_t>(node.output);
    const std::uint64_t bytes =
        checked_size_bytes(model.shape(node.output), DType::kF32, "arena size");
    alive[output] = {step, step,
                     checked_mul(bytes, static_cast<std::uint64_t>(images), "arena size")};
    made[output] = node.output != root(model.output);
  }
  std::vector<std::size_t> ids;
  std::vector<Interval> intervals;
  for (std::size_t id = 0; id < alive.size(); ++id) {
    if (!made[id]) continue;
    ids.push_back(id);
    intervals.push_back(alive[id]);
  }
  const Placement placement = place(intervals);
  plan.offsets.assign(alive.size(), Plan::kNowhere);
  for (std::size_t i = 0; i < ids.size(); ++i) plan.offsets[ids[i]] = placement.offsets[i];
  plan.arena_bytes = placement.arena_bytes;
  return plan;
}

std::vector<std::unique_ptr<Step>> lower_all(const FloatModel& model) {
  std::vector<std::unique_ptr<Step>> steps;
  for (const FloatNode& node : model.nodes) {
    if (auto step = lower(model, node)) steps.push_back(std::move(step));
  }
  return steps;
}

StepRunner::Ends ends_of(const FloatModel& model) {
  const ir::ValueId output = roots_of(model)[static_cast<std::size_t>(model.output)];
  OCTET_CHECK(output > 0, "[inference] the model has no layer that computes its result");
  return {0, output, sizeof(float) * static_cast<std::size_t>(model.shape(0).numel()),
          sizeof(float) * static_cast<std::size_t>(model.shape(output).numel())};
}

}  // namespace

struct FloatExecutor::Impl {
  std::shared_ptr<const FloatModel> model;
  Options options;
  StepRunner runner;

  Impl(std::shared_ptr<const FloatModel> packed, Options asked)
      : model(std::move(packed)),
        options(asked),
        runner(lower_all(*model), ends_of(*model),
               [this](std::int64_t images) { return plan_of(*model, images); },
               {options.max_batch, options.threads, options.least_products}) {}
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
  [[maybe_unused]] const FloatModel& m = *impl_->model;
  assert(batch >= 1 && batch <= impl_->options.max_batch);
  assert(static_cast<std::int64_t>(images.size()) == batch * m.shape(0).numel());
  assert(static_cast<std::int64_t>(result.size()) == batch * output_shape().numel());
  impl_->runner.run(reinterpret_cast<const std::byte*>(images.data()), batch,
                    reinterpret_cast<std::byte*>(result.data()));
}

const Shape& FloatExecutor::output_shape() const {
  return impl_->model->shape(impl_->model->output);
}

}  // namespace octet
