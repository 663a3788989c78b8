#include "eval/profile.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/rng.h"
#include "ir/op_names.h"
#include "runtime/packed_model.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;
using StepTimes = std::vector<std::vector<Executor::StepTime>>;

constexpr std::int64_t kMinRuns = 5, kMaxRuns = 1000, kWarmUp = 3;

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

// "28x28x6"
std::string extents(const Shape& shape) {
  std::string text;
  for (const std::int64_t extent : shape.dims()) {
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  }
  return text;
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
  step.kernel =
      model.weights[index].taps.depthwise ? model.kernel->depthwise_name : model.kernel->name;
  step.macs = batch * y.numel() * (w.numel() / w[0]);
  if (const auto* conv = std::get_if<ir::QConv2d>(&node.op)) {
    step.shape += message(", ", w[1], "x", w[2]);
    if (conv->stride > 1) step.shape += message("/", conv->stride);
    if (conv->groups > 1) step.shape += message(", ", conv->groups, " groups");
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The milliseconds of each step in one run. What a thread does after a step until it begins the
// next, or the run ends, is waiting for the others and belongs to the step: so the steps of each
// thread add up to the whole run.
std::vector<double> step_times(const StepTimes& times, std::size_t steps) {
  std::int64_t end = 0;
  double threads = 0.0;
  for (const auto& of_thread : times) {
    if (of_thread.empty()) continue;  // a thread that OpenMP did not provide
    threads += 1.0;
    end = std::max(end, of_thread.back().end_ns);
  }
  std::vector<double> ms(steps);
  for (const auto& of_thread : times) {
    for (std::size_t i = 0; i < of_thread.size(); ++i) {
      const std::int64_t next = i + 1 < of_thread.size() ? of_thread[i + 1].begin_ns : end;
      ms[of_thread[i].step] += 1e-6 * static_cast<double>(next - of_thread[i].begin_ns) / threads;
    }
  }
  return ms;
}

}  // namespace

double Profile::steps_ms() const {
  return std::accumulate(steps.begin(), steps.end(), 0.0,
                         [](double sum, const ProfiledStep& step) { return sum + step.ms; });
}

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

  const std::size_t steps = profile.steps.size();
  std::vector<StepTimes> runs;
  std::vector<double> whole, profiled;
  StepTimes times;
  const Clock::time_point start = Clock::now();
  for (std::int64_t i = 0; i < kMaxRuns + kWarmUp; ++i) {
    executor.run_profiled(images, options.batch, logits, times);
    const Clock::time_point before = Clock::now();
    run_ordinary();
    const Clock::time_point after = Clock::now();
    if (i < kWarmUp) continue;
    whole.push_back(std::chrono::duration<double, std::milli>(after - before).count());
    const std::vector<double> ms = step_times(times, steps);
    profiled.push_back(std::accumulate(ms.begin(), ms.end(), 0.0));
    runs.push_back(times);
    const bool enough = std::chrono::duration<double>(after - start).count() >= options.seconds;
    if (enough && i >= kMinRuns + kWarmUp - 1) break;
  }

  profile.runs = static_cast<std::int64_t>(runs.size());
  profile.run_ms = median(whole);
  for (std::size_t s = 0; s < steps; ++s) {
    std::vector<double> ms;
    for (const StepTimes& run : runs) ms.push_back(step_times(run, steps)[s]);
    profile.steps[s].ms = median(std::move(ms));
  }
  const auto middle = std::find(profiled.begin(), profiled.end(), median(profiled));
  profile.median_run = runs[static_cast<std::size_t>(middle - profiled.begin())];
  return profile;
}

}  // namespace octet
