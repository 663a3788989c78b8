#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace octet {

// Threads that parallel_for may use. Set once by a program's main; 1 until then.
void set_num_threads(int threads);  // throws UsageError unless 1 <= threads <= 1024
int num_threads();

// Processors that this process may run on.
int available_processors();

#ifdef _OPENMP
// A range of items cut into one share per thread. A thread takes its own share chunk by chunk, then
// what is left of the others': the same thread meets the same part of a tensor again and again, and
// still nobody waits long for a thread that the system, or another program, has slowed down.
class SharedItems {
 public:
  SharedItems(std::int64_t count, int threads)
      : chunk_(count / (kChunks * threads) + 1), shares_(static_cast<std::size_t>(threads)) {
    std::int64_t begin = 0;
    for (std::size_t t = 0; t < shares_.size(); ++t) {
      shares_[t].next.store(begin, std::memory_order_relaxed);
      begin = count * static_cast<std::int64_t>(t + 1) / threads;
      shares_[t].end = begin;
    }
  }

  // Calls body(i) for what this thread gets.
  template <class Body>
  void take(int thread, const Body& body) {
    const std::size_t all = shares_.size();
    for (std::size_t k = 0; k < all; ++k) {
      Share& share = shares_[(static_cast<std::size_t>(thread) + k) % all];
      for (;;) {
        std::int64_t i = share.next.fetch_add(chunk_, std::memory_order_relaxed);
        if (i >= share.end) break;
        const std::int64_t end = i + chunk_ < share.end ? i + chunk_ : share.end;
        for (; i < end; ++i) body(i);
      }
    }
  }

 private:
  static constexpr int kChunks = 16;  // of a share
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };
  const std::int64_t chunk_;
  std::vector<Share> shares_;
};
#endif

// Calls body(i, worker) for every i in [0, count), on num_threads() threads. `worker` <
// num_threads() is the thread's own number, for scratch memory that is written before it is read.
// `body` must not throw, and what it computes must depend on i alone: results are then the same for
// every number of threads. The items are a function of the problem (tiles, images). One thread, or
// one item, does not enter an OpenMP region.
template <class Body>
void parallel_for_workers(std::int64_t count, const Body& body) {
#ifdef _OPENMP
  const int threads = num_threads();
  if (threads > 1 && count > 1 && !omp_in_parallel()) {
    SharedItems items(count, threads);
#pragma omp parallel num_threads(threads)
    {
      const int worker = omp_get_thread_num();
      items.take(worker, [&](std::int64_t i) { body(i, worker); });
    }
    return;
  }
#endif
  for (std::int64_t i = 0; i < count; ++i) body(i, 0);
}

// The same for items that need no scratch memory: body(i).
template <class Body>
void parallel_for(std::int64_t count, const Body& body) {
  parallel_for_workers(count, [&](std::int64_t i, int) { body(i); });
}

}  // namespace octet
