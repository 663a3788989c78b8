#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "eval/profile.h"
#include "eval/profile_runs.h"
#include "inference/float_executor.h"
#include "inference/float_model.h"
#include "ir/op_names.h"

namespace octet {
namespace {

ProfiledStep describe(const FloatModel& model, const FloatNode& node, std::int64_t batch) {
  const Shape &x = model.shape(node.inputs[0]), &y = model.shape(node.output);
  ProfiledStep step;
  step.name = node.name;
  step.shape = extents(x) + " -> " + extents(y);
  const auto is = [&step](const char* op, const std::string& kernel) {
    step.op = op;
    step.kernel = kernel;
  };
  std::visit(
      ir::Overloaded{
          [&](const FloatConv2d& conv) {
            is(x.rank() == 3 ? "Conv2d" : "Linear", std::string("f32_gemm_") + model.kernels->name);
            if (conv.shortcut) step.op += " + Add";
            step.macs = batch * y.numel() * conv.kernel * conv.kernel * conv.in / conv.groups;
            if (x.rank() != 3) return;
            step.shape += message(", ", conv.kernel, "x", conv.kernel);
            if (conv.stride > 1) step.shape += message("/", conv.stride);
            if (conv.groups > 1) step.shape += message(", ", conv.groups, " groups");
          },
          [&](const FloatAdd&) { is("Add", "add_floats"); },
          [&](const FloatMaxPool2d&) { is("MaxPool2d", "max_pool_row"); },
          [&](const FloatAvgPool2d&) { is("AvgPool2d", "avg_pool_row"); },
          [&](const FloatConcat&) { is("Concat", "copy_n"); }, [&](const FloatIdentity&) {}},
      node.form);
  return step;
}

}  // namespace

Profile profile_fp32(Module& module, const std::string& name, const Shape& image_shape,
                     const ProfileOptions& options) {
  const auto model = pack_float_model(module, image_shape, options.isa);
  FloatExecutor executor(model, {.max_batch = options.batch, .threads = options.threads});
  FloatExecutor ordinary(model, {.max_batch = options.batch, .threads = options.threads});
  Rng rng(1, RngPurpose::kTest);
  std::vector<float> images(static_cast<std::size_t>(options.batch * image_shape.numel()));
  for (float& value : images) value = rng.uniform(-1.0f, 1.0f);
  std::vector<float> result(
      static_cast<std::size_t>(options.batch * executor.output_shape().numel()));

  Profile profile;
  profile.model = name;
  profile.isa = name_of(options.isa);
  profile.batch = options.batch;
  profile.threads = options.threads;
  for (const std::size_t node : executor.steps()) {
    profile.steps.push_back(describe(*model, model->nodes[node], options.batch));
  }
  measure_runs(
      profile, options.seconds,
      [&](StepTimes& times) { executor.run_profiled(images, options.batch, result, times); },
      [&] { ordinary.run(images, options.batch, result); });
  return profile;
}

}  // namespace octet
