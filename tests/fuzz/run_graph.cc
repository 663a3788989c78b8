#include "tests/fuzz/run_graph.h"

#include <vector>

#include "runtime/executor.h"
#include "tests/fuzz/fuzz.h"

namespace octet::fuzz {
namespace {

constexpr double kMaxWork = 1 << 18;  // the sanitizers make it slow

std::vector<std::int32_t> logits_of(const ir::Graph& graph, Isa isa) {
  Executor executor(pack_model(graph, isa), {.max_batch = 2});
  const ir::Value& x = graph.value(graph.input);
  const auto count = static_cast<std::size_t>(2 * x.shape.numel());
  std::vector<std::int32_t> logits(
      static_cast<std::size_t>(2 * graph.value(graph.output).shape.numel()));
  std::uint32_t state = 1;
  const auto next = [&] { return (state = state * 1664525u + 1013904223u) >> 24; };
  if (x.dtype == DType::kF32) {
    std::vector<float> images(count);
    for (float& v : images) v = static_cast<float>(next()) / 64.0f - 2.0f;
    executor.run(images, 2, logits);
  } else {
    std::vector<std::uint8_t> images(count);
    for (std::uint8_t& v : images) v = static_cast<std::uint8_t>(next());
    executor.run(images, 2, logits);
  }
  return logits;
}

}  // namespace

double work_of(const ir::Graph& graph) {
  double work = 0;
  for (const ir::Value& value : graph.values) work += static_cast<double>(value.shape.numel());
  for (const ir::Node& node : graph.nodes) {
    const auto results = static_cast<double>(graph.value(node.output).shape.numel());
    const auto weight = graph.constants.find(node.name + ".weight");
    if (weight != graph.constants.end()) {
      const Shape& shape = weight->second.shape;
      work += results * static_cast<double>(shape.numel()) / static_cast<double>(shape[0]);
    } else if (const auto* max = std::get_if<ir::MaxPool2d>(&node.op)) {
      work += results * static_cast<double>(max->kernel) * static_cast<double>(max->kernel);
    } else if (const auto* average = std::get_if<ir::AvgPool2d>(&node.op)) {
      work += results * static_cast<double>(average->kernel_h * average->kernel_w);
    }
  }
  return work;
}

bool is_little_work(const ir::Graph& graph) { return work_of(graph) <= kMaxWork; }

void run_on_two_isas(const ir::Graph& graph) {
  if (!is_little_work(graph)) return;
  const auto scalar = logits_of(graph, Isa::kScalar);
  require(scalar == logits_of(graph, supported_isas().back()),
          "logits do not depend on the instruction set");
}

}  // namespace octet::fuzz
