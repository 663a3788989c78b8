#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/processors.h"

namespace octet {
namespace {

constexpr int kMostThreads = 1024;

std::atomic<int> g_threads{1};

}  // namespace

void set_num_threads(int threads) {
  if (threads < 1 || threads > kMostThreads) {
    throw UsageError(message("threads must be between 1 and ", kMostThreads, ", got ", threads));
  }
  g_threads.store(threads, std::memory_order_relaxed);
}

int num_threads() { return g_threads.load(std::memory_order_relaxed); }

int default_threads() {
  const char* asked = std::getenv("OMP_NUM_THREADS");
  if (asked == nullptr || *asked == '\0') return std::min(available_processors(), kMostThreads);
  std::string_view first = asked;
  first = first.substr(0, first.find(','));
  while (!first.empty() && first.front() == ' ') first.remove_prefix(1);
  while (!first.empty() && first.back() == ' ') first.remove_suffix(1);
  int threads = 0;
  const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), threads);
  if (error != std::errc() || end != first.data() + first.size() || threads < 1 ||
      threads > kMostThreads) {
    throw UsageError(message("the environment variable OMP_NUM_THREADS is \"", asked,
                             "\", expected a number of threads from 1 to ", kMostThreads,
                             "; unset it, or say --threads N"));
  }
  return threads;
}

}  // namespace octet
