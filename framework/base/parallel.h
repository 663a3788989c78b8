#pragma once

#include <cstdint>

#include "base/shared_items.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/float_environment.h"

namespace octet {

// Threads that parallel_for may use. Set once by a program's main; 1 until then.
void set_num_threads(int threads);  // throws UsageError unless 1 <= threads <= 1024
int num_threads();

// What a program without --threads takes: OMP_NUM_THREADS where it is set (of a list the first),
// else available_processors(). Throws UsageError where it is no number of threads.
int default_threads();

// Calls body(i, worker) for every i in [0, count), on num_threads() threads. `worker` <
// num_threads() is the thread's own number, for scratch memory that is written before it is read.
// `body` must not throw, and what it computes must depend on i alone: results are then the same for
// every number of threads. The items are a function of the problem (tiles, images). One thread, or
// one item, does not enter an OpenMP region. Floats are computed as FloatEnvironment says.
template <class Body>
void parallel_for_workers(std::int64_t count, const Body& body) {
#ifdef _OPENMP
  const int threads = num_threads();
  if (threads > 1 && count > 1 && !omp_in_parallel()) {
    SharedItems items(count, threads);
#pragma omp parallel num_threads(threads)
    {
      const FloatEnvironment environment;
      const int worker = omp_get_thread_num();
      items.take(worker, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) body(i, worker);
      });
    }
    return;
  }
#endif
  const FloatEnvironment environment;
  for (std::int64_t i = 0; i < count; ++i) body(i, 0);
}

// The same for items that need no scratch memory: body(i).
template <class Body>
void parallel_for(std::int64_t count, const Body& body) {
  parallel_for_workers(count, [&](std::int64_t i, int) { body(i); });
}

}  // namespace octet
