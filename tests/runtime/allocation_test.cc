#include <doctest/doctest.h>

#include <vector>

#include "runtime/executor.h"
#include "tests/counted_new.h"
#include "tests/ir/graph_builder.h"

namespace octet {

TEST_SUITE("runtime") {
  TEST_CASE("executor: run allocates nothing but the threads, which start once") {
    for (const ir::Graph& graph : {testing::lenet_graph(), testing::small_graph()}) {
      for (const Isa isa : supported_isas()) {
        for (const int threads : {1, 3}) {
          const std::int64_t batch = 5;
          Executor executor(pack_model(graph, isa),
                            {.max_batch = batch, .threads = threads, .least_products = 0});
          const std::vector<std::uint8_t> images(
              static_cast<std::size_t>(batch * graph.value(graph.input).shape.numel()), 7);
          std::vector<std::int32_t> logits(
              static_cast<std::size_t>(batch * graph.value(graph.output).shape.numel()));
          if (threads > 1) executor.run(images, batch, logits);
          const long before = g_allocations;
          executor.run(images, batch, logits);
          executor.run(images, batch, logits);
          const long after = g_allocations;
          CHECK(after == before);
        }
      }
    }
    const long before = g_allocations;
    ::operator delete(
        ::operator new(1));  // called by name: unlike a new-expression, it is never optimized away
    CHECK(g_allocations == before + 1);  // the counter counts
  }
}

}  // namespace octet
