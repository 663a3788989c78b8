#include "base/parallel.h"

#include <sched.h>

#include <atomic>

#include "base/error.h"

namespace octet {
namespace {

std::atomic<int> g_threads{1};

}  // namespace

void set_num_threads(int threads) {
  if (threads < 1 || threads > 1024) {
    throw UsageError(message("threads must be between 1 and 1024, got ", threads));
  }
  g_threads.store(threads, std::memory_order_relaxed);
}

int num_threads() { return g_threads.load(std::memory_order_relaxed); }

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return CPU_COUNT(&set);
}

}  // namespace octet
