#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "runtime/executor.h"
#include "tests/ir/graph_builder.h"
#include "tests/runtime/reference.h"

// What the tests of the executor share. Internal to the including file.
namespace octet {

using ir::Graph;
using ir::ValueId;
using testing::GraphBuilder;
using testing::Reference;

namespace {

template <class T>
std::vector<T> slice(const std::vector<T>& v, std::int64_t begin, std::int64_t count) {
  return {v.begin() + begin, v.begin() + begin + count};
}

// Every value and the logits of `images`, as the reference computes them: [value][batch * numel].
struct Expected {
  std::vector<std::vector<std::uint8_t>> values;
  std::vector<std::int32_t> logits;
};

template <class T>
Expected reference(const Graph& graph, const std::vector<T>& images, std::int64_t batch) {
  Expected expected;
  expected.values.resize(graph.values.size());
  Reference reference(graph);
  const std::int64_t size = graph.value(graph.input).shape.numel();
  for (std::int64_t i = 0; i < batch; ++i) {
    reference.run(slice(images, i * size, size));
    for (std::size_t id = 0; id < graph.values.size(); ++id) {
      const auto& codes = reference.codes(static_cast<ValueId>(id));
      expected.values[id].insert(expected.values[id].end(), codes.begin(), codes.end());
    }
    expected.logits.insert(expected.logits.end(), reference.logits().begin(),
                           reference.logits().end());
  }
  return expected;
}

// Runs the graph for every instruction set, for several batch sizes and numbers of threads, with
// and without kept values, and compares all with the reference.
template <class T>
void check_all_ways(const Graph& graph, const std::vector<T>& images, std::int64_t max_batch,
                    const std::vector<std::int64_t>& batches) {
  const Expected expected = reference(graph, images, max_batch);
  const std::int64_t size = graph.value(graph.input).shape.numel();
  const std::int64_t classes = graph.value(graph.output).shape.numel();
  int runs = 0;
  for (const Isa isa : supported_isas()) {
    CAPTURE(std::string(name_of(isa)));
    const auto model = pack_model(graph, isa);
    for (const int threads : {1, 2, 3, 4}) {
      CAPTURE(threads);
      Executor kept(
          model,
          {.max_batch = max_batch, .threads = threads, .least_products = 0, .keep_values = true});
      Executor executor(model, {.max_batch = max_batch, .threads = threads, .least_products = 0});
      for (const std::int64_t batch : batches) {
        CAPTURE(batch);
        const std::vector<T> input = slice(images, 0, batch * size);
        const std::vector<std::int32_t> logits = slice(expected.logits, 0, batch * classes);
        std::vector<std::int32_t> got(logits.size(), -1), got_kept(logits.size(), -1);
        executor.run(input, batch, got);
        CHECK(got == logits);
        kept.run(input, batch, got_kept);
        CHECK(got_kept == logits);
        for (std::size_t id = 0; id < graph.values.size(); ++id) {
          if (graph.values[id].dtype != DType::kU8) continue;
          CAPTURE(graph.values[id].name);
          const auto codes = kept.value(static_cast<ValueId>(id));
          CHECK(std::vector<std::uint8_t>(codes.begin(), codes.end()) ==
                slice(expected.values[id], 0, batch * graph.values[id].shape.numel()));
        }
        ++runs;
      }
    }
  }
  CHECK(runs >= 4);
}

// Flattens x and adds the logits, so that the graph is complete.
Graph finish(GraphBuilder& b, ValueId x) {
  if (b.graph.value(x).shape.rank() == 3) x = b.flatten("flatten", x);
  b.logits("logits", x, 5);
  return b.graph;
}

}  // namespace
}  // namespace octet
