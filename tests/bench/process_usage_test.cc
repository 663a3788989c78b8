#include "bench/process_usage.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstring>

namespace octet {
namespace {

TEST_CASE("process_usage: touching new memory shows in page faults and peak memory") {
  constexpr std::size_t kPages = 1024, kPageBytes = 4096, kBytes = kPages * kPageBytes;
  const std::int64_t faults = page_faults();
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  madvise(memory, kBytes, MADV_NOHUGEPAGE);
  std::memset(memory, 1, kBytes);
  CHECK(page_faults() - faults >= static_cast<std::int64_t>(kPages));
  munmap(memory, kBytes);
  CHECK(peak_memory_bytes() >= static_cast<std::int64_t>(kBytes));  // it stays, as the highest
}

TEST_CASE("process_usage: the machine has memory") {
  CHECK(available_memory_bytes() > std::int64_t{1} << 20);
}

}  // namespace
}  // namespace octet
