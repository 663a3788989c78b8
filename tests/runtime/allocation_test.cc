#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "runtime/executor.h"
#include "tests/ir/graph_builder.h"

// This program's operator new counts its calls. Not inlined: the compiler would see malloc's memory
// freed as operator new's, or the reverse, and warn.
namespace {

std::atomic<long> g_allocations{0};

void* counted(std::size_t size, std::size_t alignment) noexcept {
  ++g_allocations;
  size = (size + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, size == 0 ? alignment : size);
}

void* counted_or_throw(std::size_t size, std::size_t alignment) {
  void* p = counted(size, alignment);
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) { return counted_or_throw(size, 16); }
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, 16);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted_or_throw(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  return counted(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

namespace octet {

TEST_SUITE("runtime") {
  TEST_CASE("executor: run allocates nothing, not even the first time") {
    for (const ir::Graph& graph : {testing::lenet_graph(), testing::small_graph()}) {
      for (const Isa isa : supported_isas()) {
        for (const int threads : {1, 3}) {
          const std::int64_t batch = 5;
          Executor executor(pack_model(graph, isa), {.max_batch = batch, .threads = threads});
          const std::vector<std::uint8_t> images(
              static_cast<std::size_t>(batch * graph.value(graph.input).shape.numel()), 7);
          std::vector<std::int32_t> logits(
              static_cast<std::size_t>(batch * graph.value(graph.output).shape.numel()));
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
