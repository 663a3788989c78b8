#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/cpu.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/processors.h"
#include "base/shape.h"

namespace octet {

TEST_CASE("OCTET_CHECK joins its parts into the message") {
  CHECK_THROWS_WITH_AS(
      [] {
        OCTET_CHECK(1 > 2, "[op] expects ", 2, ", got ", Shape{1, 2});
      }(),
      "[op] expects 2, got [1, 2]", Error);
}

TEST_CASE("dtype names are those of safetensors and map back") {
  CHECK(name_of(DType::kF32) == "F32");
  CHECK(dtype_from_name("I8") == DType::kI8);
  CHECK(size_of(DType::kI64) == 8);
  CHECK_THROWS_AS(dtype_from_name("F31"), Error);
}

TEST_CASE("shape: element count, text, overflow") {
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{2, 0, 3}.numel() == 0);
  CHECK(Shape{128, 28, 28, 1}.to_string() == "[128, 28, 28, 1]");
  CHECK_THROWS_AS((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}.numel()), Error);
  CHECK_THROWS_AS((Shape{2, -1}.numel()), Error);
}

TEST_CASE("aligned buffer: 64 bytes, 2 MiB for large blocks, moves") {
  AlignedBuffer small(100), large(std::size_t{3} << 20);
  CHECK(reinterpret_cast<std::uintptr_t>(small.data()) % 64 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(large.data()) % (std::size_t{2} << 20) == 0);
  const std::byte* address = large.data();
  const AlignedBuffer moved = std::move(large);
  CHECK(moved.data() == address);
  CHECK(AlignedBuffer().data() == nullptr);
}

TEST_CASE("parallel_for runs every item once, for any number of threads") {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    std::vector<std::atomic<int>> calls(101);
    parallel_for(101, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
    for (const auto& count : calls) CHECK(count == 1);
  }
  set_num_threads(1);
  CHECK_THROWS_AS(set_num_threads(0), UsageError);
}

TEST_CASE("threads: OMP_NUM_THREADS is the default, and nonsense in it an error") {
  const char* before = std::getenv("OMP_NUM_THREADS");
  const std::string restored = before == nullptr ? "" : before;
  for (const auto& accepted : {std::pair("1", 1), {"7", 7}, {" 3 ", 3}, {"4,2", 4}}) {
    CAPTURE(accepted.first);
    setenv("OMP_NUM_THREADS", accepted.first, 1);
    CHECK(default_threads() == accepted.second);
  }
  for (const char* text : {"0", "-1", "1025", "two", "2x", ",", " ", "99999999999"}) {
    CAPTURE(text);
    setenv("OMP_NUM_THREADS", text, 1);
    CHECK_THROWS_AS(default_threads(), UsageError);
  }
  setenv("OMP_NUM_THREADS", "", 1);
  CHECK(default_threads() == available_processors());
  unsetenv("OMP_NUM_THREADS");
  CHECK(default_threads() == available_processors());
  if (before != nullptr) setenv("OMP_NUM_THREADS", restored.c_str(), 1);
}

TEST_CASE("parallel_for: a thread that comes late finds its share done by the others") {
  for (const int threads : {1, 2, 5}) {
    for (const std::int64_t count : {1, 2, 33, 1000}) {
      SharedItems items(count, threads);
      std::vector<int> calls(static_cast<std::size_t>(count));
      items.take(threads - 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) ++calls[static_cast<std::size_t>(i)];
      });
      CHECK(std::count(calls.begin(), calls.end(), 1) == count);
      items.take(0, [&](std::int64_t, std::int64_t) { FAIL("an item was given twice"); });
    }
  }
}

TEST_CASE("isa: names map back, scalar is always there, inclusion is not a line") {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512Vnni, Isa::kNeonDot}) {
    CHECK(isa_from_name(name_of(isa)) == isa);
    CHECK(isa_includes(isa, Isa::kScalar));
    CHECK(isa_includes(isa, isa));
    if (!cpu_supports(isa)) CHECK_THROWS_AS(set_process_isa(isa), UsageError);
  }
  CHECK(cpu_supports(Isa::kScalar));
  CHECK(isa_includes(Isa::kAvx512Vnni, Isa::kAvx2));
  CHECK_FALSE(isa_includes(Isa::kAvx512Vnni, Isa::kAvxVnni));
  CHECK_FALSE(isa_includes(Isa::kNeonDot, Isa::kAvx2));
  CHECK_THROWS_AS(isa_from_name("avx3"), UsageError);
}

}  // namespace octet
