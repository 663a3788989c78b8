#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cfenv>
#include <chrono>
#include <csignal>
#include <new>

#include "base/processors.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;

// The times below are measured: docs/decisions.md, 2026-11-30.

// How long a thread spins before it sleeps.
constexpr std::chrono::microseconds kSpin{50};

// After so long at work, and when it wakes, a thread offers its processor to whoever else wants it.
// Nobody waits for it between two loops; otherwise the system would take the processor later, in
// the middle of a piece, and the caller would wait for milliseconds.
constexpr std::chrono::microseconds kTurn{1000};

// A thread that was without its processor for so long, and for longer than its work takes, shares
// it with another program. It then rests, twice as long each time until it had a time without loss
// as long as its last rest: the caller is faster alone than with a thread that comes and goes.
constexpr std::chrono::microseconds kLost{300};
constexpr std::chrono::milliseconds kLeastRest{20}, kMostRest{500};

// Counts the forks between the first process and this one. Threads stay behind in the parent, and
// a child sees it by this number, without a system call. glibc drops the handler when the library
// that holds it is unloaded.
std::atomic<unsigned> g_forks{0};

unsigned generation() noexcept { return g_forks.load(std::memory_order_relaxed); }

bool counts_forks() noexcept {
  static const bool registered = pthread_atfork(nullptr, nullptr, [] {
                                   g_forks.fetch_add(1, std::memory_order_relaxed);
                                 }) == 0;
  return registered;
}

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Spins until `done` or until the time is up.
template <class Done>
bool spin(Clock::time_point end, const Done& done) noexcept {
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      pause();
    }
  } while (Clock::now() < end);
  return done();
}

// Of the calling thread.
Clock::duration processor_time() noexcept {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// For differences only.
unsigned milliseconds(Clock::time_point time) noexcept {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  return static_cast<unsigned>(since.count());
}

}  // namespace

// How a thread shares its processor with other programs.
class ThreadPool::Turn {
 public:
  // It has just started, or was woken.
  void begin() noexcept {
    note_times(Clock::now());
    offer(Clock::duration(0));
  }

  // It has worked since `before`. Returns the time.
  Clock::time_point worked_since(Clock::time_point before) noexcept {
    const Clock::time_point now = Clock::now();
    if (now < turn_end_) {
      work_ = now - before;
      return now;
    }
    const Clock::duration lost = (now - begin_) - (processor_time() - processor_time_);
    work_ = std::max(now - before - lost, Clock::duration(0));
    return offer(lost);
  }

  bool tired() const noexcept { return tired_; }
  Clock::time_point rest_end() const noexcept { return begin_ + rest_; }

 private:
  Clock::time_point offer(Clock::duration lost) noexcept {
    const Clock::time_point before = Clock::now();
    sched_yield();
    const Clock::time_point now = Clock::now();
    const Clock::duration away = std::max(lost, now - before);
    tired_ = away > kLost && away > 3 * work_;
    if (tired_) {
      rest_ = std::clamp<Clock::duration>(2 * rest_, kLeastRest, kMostRest);
      tired_at_ = now;
    } else if (now - tired_at_ > 2 * rest_) {
      rest_ = Clock::duration(0);
    }
    note_times(now);
    return now;
  }

  void note_times(Clock::time_point now) noexcept {
    begin_ = now;
    turn_end_ = now + kTurn;
    processor_time_ = processor_time();
  }

  Clock::time_point begin_, turn_end_, tired_at_;
  Clock::duration processor_time_{0};  // at begin_
  Clock::duration work_{0};            // that the last loop had for this thread
  Clock::duration rest_{0};
  bool tired_ = false;
};

ThreadPool::ThreadPool(int threads)
    : threads_(threads), workers_(new Worker[static_cast<std::size_t>(threads)]), items_(threads) {}

ThreadPool::~ThreadPool() {
  if (of_process_ != generation()) forget_threads_of_parent();
  stop_.store(true);
  loops_.fetch_add(1);
  wake(started_);
  for (int w = 0; w < started_; ++w) workers_[static_cast<std::size_t>(w)].thread.join();
}

// In a child: the handles are of threads that do not exist here, and their memory may by now be
// another thread's. So they are overwritten, neither joined nor detached.
void ThreadPool::forget_threads_of_parent() noexcept {
  for (int w = 0; w < started_; ++w) {
    Worker& worker = workers_[static_cast<std::size_t>(w)];
    new (&worker.thread) std::thread();
    worker.state.store(kAwake, std::memory_order_relaxed);
  }
  started_ = 0;
  may_start_ = true;
  items_.deal(0, threads_, 1);
  sleeping_.store(0, std::memory_order_relaxed);
  caller_sleeps_.store(false, std::memory_order_relaxed);
  of_process_ = generation();
}

// Where the system gives no more threads, those that there are have to do.
void ThreadPool::start(int workers) noexcept {
  may_start_ = counts_forks();
  if (!may_start_) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a thread begins with its creator's
  try {
    if (started_ == 0) processors_ = affinity_of_process();
    while (started_ < workers) {
      workers_[static_cast<std::size_t>(started_)].thread =
          std::thread([this, thread = started_ + 1] { work(thread); });
      ++started_;
    }
  } catch (...) {
    may_start_ = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ThreadPool::run_loop(Loop loop, std::int64_t count, int threads, int pieces) noexcept {
  if (of_process_ != generation()) forget_threads_of_parent();
  if (started_ < threads - 1 && may_start_) start(threads - 1);
  threads = std::min(threads, started_ + 1);
  if (threads == 1) {
    loop.call(loop.body, 0, count, 0);
    return;
  }
  loop_ = loop;
  computed_.store(0, std::memory_order_relaxed);
  used_.store(threads, std::memory_order_relaxed);
  const int dealt = items_.deal(count, threads, pieces);
  loops_.fetch_add(1);
  if (sleeping_.load() > 0) wake(threads - 1);
  wait_for(dealt - take(0));
}

int ThreadPool::take(int thread) noexcept {
  return items_.take(thread, [&](std::int64_t begin, std::int64_t end) {
    loop_.call(loop_.body, begin, end, thread);
  });
}

// The first so many; of those that rest, who has rested enough.
void ThreadPool::wake(int workers) noexcept {
  const unsigned now = milliseconds(Clock::now());
  for (int w = 0; w < workers; ++w) {
    Worker& worker = workers_[static_cast<std::size_t>(w)];
    const int state = worker.state.load();
    if (state == kAwake) continue;
    const unsigned rest_end = worker.rest_end.load(std::memory_order_relaxed);
    if (state == kRests && static_cast<int>(rest_end - now) > 0 && !stop_.load()) continue;
    if (worker.state.exchange(kAwake) == kAwake) continue;
    sleeping_.fetch_sub(1);
    worker.state.notify_one();
  }
}

// Until the other threads have computed so many pieces.
void ThreadPool::wait_for(int pieces) noexcept {
  const auto done = [&] { return computed_.load(std::memory_order_acquire) == pieces; };
  if (done() || spin(Clock::now() + kSpin, done)) return;
  caller_sleeps_.store(true);
  for (int now = computed_.load(); now != pieces; now = computed_.load()) computed_.wait(now);
  caller_sleeps_.store(false, std::memory_order_relaxed);
}

void ThreadPool::work(int thread) noexcept {
  std::fesetenv(FE_DFL_ENV);
  run_on(processors_);
  Worker& worker = workers_[static_cast<std::size_t>(thread - 1)];
  Turn turn;
  turn.begin();
  Clock::time_point spin_end;
  for (;;) {
    const int seen = loops_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    if (!turn.tired() && thread < used_.load(std::memory_order_relaxed)) {
      const Clock::time_point before = Clock::now();
      const int taken = take(thread);
      if (taken > 0) {
        computed_.fetch_add(taken);
        if (caller_sleeps_.load()) computed_.notify_one();
      }
      spin_end = turn.worked_since(before) + kSpin;
    }
    if (!turn.tired() &&
        spin(spin_end, [&] { return loops_.load(std::memory_order_acquire) != seen; })) {
      continue;
    }
    if (sleep(worker, turn, seen)) turn.begin();
  }
}

// Until the caller wakes the thread; false if it need not sleep, as there are other loops than the
// one seen. (Who counted those may not have seen the sleeper.) A loop that does not want this
// thread does not wake it.
bool ThreadPool::sleep(Worker& worker, const Turn& turn, int seen) noexcept {
  worker.rest_end.store(milliseconds(turn.rest_end()), std::memory_order_relaxed);
  worker.state.store(turn.tired() ? kRests : kSleeps);
  sleeping_.fetch_add(1);
  const bool missed = loops_.load() != seen && (!turn.tired() || stop_.load());
  if (missed && worker.state.exchange(kAwake) != kAwake) {
    sleeping_.fetch_sub(1);
    return false;
  }
  for (int state = worker.state.load(); state != kAwake; state = worker.state.load())
    worker.state.wait(state);
  return true;
}

}  // namespace octet
