#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/shared_items.h"

namespace octet {

// Threads that compute the items of loops together with the thread that calls `run`. They start at
// the first loop that wants them, wait for the next one spinning for some microseconds, then sleep.
//
// The caller never waits for a thread that has not begun: what nobody has taken it computes itself.
// So a loop ends although threads could not be started, were left behind by fork() (a child starts
// its own), or do not get a processor. Only a piece that a thread has begun is waited for.
//
// The threads run where the process may (processors.h), wherever the calling thread is pinned to;
// they block all signals, and their floating-point environment is the default one. A pool is used
// by one thread at a time.
class ThreadPool {
 public:
  static constexpr int kMostThreads = 1024;

  // For loops on up to `threads` threads (1 to kMostThreads), the caller included. Starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Calls body(begin, end, thread) for pieces that make up [0, count), about `pieces` for each of
  // `threads` threads; thread < threads, 0 is the caller. `body` must not throw, and what it
  // computes for an item must not depend on who computes it. Memory is allocated only when threads
  // are started. With one thread, or one item, no other thread and no atomic is touched.
  template <class Body>
  void run(std::int64_t count, int threads, int pieces, const Body& body) noexcept {
    if (threads <= 1 || count <= 1) {
      body(std::int64_t{0}, count, 0);
      return;
    }
    run_loop({[](const void* of, std::int64_t begin, std::int64_t end, int thread) {
                (*static_cast<const Body*>(of))(begin, end, thread);
              },
              &body},
             count, threads, pieces);
  }

 private:
  struct Loop {
    void (*call)(const void* body, std::int64_t begin, std::int64_t end, int thread) = nullptr;
    const void* body = nullptr;
  };
  enum State { kAwake, kSleeps, kRests };  // kAwake: or told to wake
  struct alignas(64) Worker {
    std::thread thread;
    std::atomic<int> state{kAwake};
    std::atomic<unsigned> rest_end{0};  // milliseconds, of one that rests
  };
  class Turn;

  void run_loop(Loop loop, std::int64_t count, int threads, int pieces) noexcept;
  int take(int thread) noexcept;
  void start(int workers) noexcept;
  void forget_threads_of_parent() noexcept;
  void wake(int workers) noexcept;
  void wait_for(int pieces) noexcept;
  void work(int thread) noexcept;
  bool sleep(Worker& worker, const Turn& turn, int seen) noexcept;

  const int threads_;
  std::unique_ptr<Worker[]> workers_;      // threads_ - 1: thread t is the t-th, from 1
  std::vector<unsigned long> processors_;  // where they run
  int started_ = 0;
  bool may_start_ = true;    // until one could not be started
  unsigned of_process_ = 0;  // the generation of processes that started_ is about

  // Written by the caller between loops, read by who has taken a piece.
  Loop loop_;
  SharedItems items_;

  alignas(64) std::atomic<int> loops_{0};  // counts them; the threads watch it
  std::atomic<int> used_{0};               // threads that the loop wants
  std::atomic<int> sleeping_{0};
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<int> computed_{0};  // pieces of this loop, by other threads
  std::atomic<bool> caller_sleeps_{false};
};

}  // namespace octet
