#include <cstring>
#include <span>

#include "base/error.h"
#include "base/rng.h"
#include "eval/profile.h"
#include "eval/profile_runs.h"
#include "ir/op_names.h"
#include "runtime/executor.h"
#include "runtime/packed_model.h"

namespace octet {
namespace {

// Random pixels or floats, as bytes.
std::vector<std::byte> random_input(const ir::Value& input, std::int64_t batch) {
  Rng rng(1, RngPurpose::kTest);
  const auto count = static_cast<std::size_t>(batch * input.shape.numel());
  std::vector<std::byte> bytes(count * size_of(input.dtype));
  for (std::size_t i = 0; i < count; ++i) {
    const float real = rng.uniform(-1.0f, 1.0f);
    const auto pixel = static_cast<std::byte>(rng.below(256));
    if (input.dtype == DType::kF32) {
      std::memcpy(bytes.data() + i * sizeof(real), &real, sizeof(real));
    } else {
      bytes[i] = pixel;
    }
  }
  return bytes;
}

// What the function is called that computes a node without weights.
const char* function_of(const ir::Op& op) {
  return std::visit(
      ir::Overloaded{
          [](const ir::InputTable&) { return "apply_table_u8"; },
          [](const ir::Quantize&) { return "quantize_u8"; }, [](const ir::QConv2d&) { return ""; },
          [](const ir::QLinear&) { return ""; }, [](const ir::QAdd&) { return "add_u8"; },
          [](const ir::MaxPool2d&) { return "max_pool2d_u8"; },
          [](const ir::AvgPool2d&) { return "avg_pool2d_u8"; },
          [](const ir::Concat&) { return "memcpy"; }, [](const ir::Flatten&) { return ""; }},
      op);
}

// Adds one of its nodes to a step.
void describe(ProfiledStep& step, const ir::Graph& graph, std::size_t index,
              const PackedModel& model, std::int64_t batch) {
  const ir::Node& node = graph.nodes[index];
  const Shape &x = graph.value(node.inputs[0]).shape, &y = graph.value(node.output).shape;
  const bool first = step.name.empty();
  step.name += (first ? "" : " + ") + node.name;
  step.op += (first ? "" : " + ") + std::string(ir::op_name(node.op));
  if (!first) return;  // shape and kernel are the product's, which comes first
  step.shape = extents(x) + " -> " + extents(y);
  step.kernel = function_of(node.op);
  const auto weight = graph.constants.find(node.name + ".weight");
  if (weight == graph.constants.end()) return;
  const Shape& w = weight->second.shape;
  const TapLists& taps = model.weights[index].taps;
  const kernels::PooledConvKernel* pooled_conv = model.pooled_weights[index].taps.pooled_conv;
  step.kernel = pooled_conv != nullptr ? pooled_conv->name
                : taps.depthwise       ? model.kernel->depthwise_name
                                       : model.kernel->name;
  step.macs = batch * y.numel() * (w.numel() / w[0]);
  if (const auto* conv = std::get_if<ir::QConv2d>(&node.op)) {
    step.shape += message(", ", w[1], "x", w[2]);
    if (conv->stride > 1) step.shape += message("/", conv->stride);
    if (conv->groups > 1) step.shape += message(", ", conv->groups, " groups");
  }
}

}  // namespace

Profile profile_int8(const ir::Graph& graph, const ProfileOptions& options) {
  const auto model = pack_model(graph, options.isa);
  Executor executor(model, {.max_batch = options.batch, .threads = options.threads});
  Executor ordinary(model, {.max_batch = options.batch, .threads = options.threads});
  const ir::Value& input = graph.value(graph.input);
  const std::vector<std::byte> images = random_input(input, options.batch);
  std::vector<std::int32_t> logits(
      static_cast<std::size_t>(options.batch * graph.value(graph.output).shape.numel()));
  const auto run_ordinary = [&] {
    if (input.dtype == DType::kF32) {
      ordinary.run(
          std::span(reinterpret_cast<const float*>(images.data()), images.size() / sizeof(float)),
          options.batch, logits);
    } else {
      ordinary.run(std::span(reinterpret_cast<const std::uint8_t*>(images.data()), images.size()),
                   options.batch, logits);
    }
  };

  Profile profile;
  profile.model = graph.model;
  profile.isa = name_of(options.isa);
  profile.batch = options.batch;
  profile.threads = options.threads;
  for (const std::vector<std::size_t>& nodes : executor.steps()) {
    ProfiledStep& step = profile.steps.emplace_back();
    for (const std::size_t node : nodes) {
      describe(step, graph, node, *model, options.batch);
    }
  }

  measure_runs(
      profile, options.seconds,
      [&](StepTimes& times) { executor.run_profiled(images, options.batch, logits, times); },
      run_ordinary);
  return profile;
}

}  // namespace octet
