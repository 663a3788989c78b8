#include <doctest/doctest.h>

#include <set>
#include <span>
#include <vector>

#include "runtime/executor.h"
#include "tests/ir/graph_builder.h"

namespace octet {

TEST_SUITE("runtime") {
  TEST_CASE("executor: a profiled run gives the same logits, and times in order") {
    const ir::Graph graph = testing::small_graph();
    const std::vector<std::uint8_t> images = testing::GraphBuilder(5).codes(3 * 105);
    for (const int threads : {1, 2, 3}) {
      Executor executor(pack_model(graph, Isa::kScalar),
                        {.max_batch = 3, .threads = threads, .least_products = 0});
      std::vector<std::int32_t> expected(9), logits(9, -1);
      executor.run(images, 3, expected);
      std::vector<std::vector<Executor::StepTime>> times;
      for (int again = 0; again < 2; ++again) {
        executor.run_profiled(std::as_bytes(std::span(images)), 3, logits, times);
        CHECK(logits == expected);
        REQUIRE(times.size() == static_cast<std::size_t>(threads));
        std::set<std::size_t> seen;
        for (const auto& of_thread : times) {
          std::int64_t before = 1;
          for (const Executor::StepTime& time : of_thread) {
            CHECK(before <= time.begin_ns);
            CHECK(time.begin_ns <= time.end_ns);
            before = time.end_ns;
            seen.insert(time.step);
          }
        }
        CHECK(seen.size() == executor.steps().size());
        CHECK(*seen.rbegin() == executor.steps().size() - 1);
      }
    }
  }

  TEST_CASE("executor: a second thread takes part from two million products on") {
    const ir::Graph graph = testing::lenet_graph();  // 416,520 products an image
    Executor executor(pack_model(graph, Isa::kScalar), {.max_batch = 5, .threads = 2});
    for (const std::int64_t batch : {1, 4, 5}) {
      const std::vector<std::uint8_t> images =
          testing::GraphBuilder(5).codes(static_cast<std::size_t>(batch) * 28 * 28);
      std::vector<std::int32_t> logits(static_cast<std::size_t>(batch) * 10);
      std::vector<std::vector<Executor::StepTime>> times;
      executor.run_profiled(std::as_bytes(std::span(images)), batch, logits, times);
      CHECK(times[0].empty() == false);
      CHECK(times[1].empty() == (batch < 5));
    }
  }

  TEST_CASE("executor: every node but flatten belongs to one step") {
    for (const ir::Graph& graph : {testing::small_graph(), testing::lenet_graph()}) {
      const Executor executor(pack_model(graph, Isa::kScalar), {});
      std::multiset<std::size_t> found;
      for (const auto& nodes : executor.steps()) found.insert(nodes.begin(), nodes.end());
      for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        const bool renames = std::holds_alternative<ir::Flatten>(graph.nodes[i].op);
        CHECK(found.count(i) == (renames ? 0 : 1));
      }
    }
  }
}

}  // namespace octet
