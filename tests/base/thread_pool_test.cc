#include "base/thread_pool.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cfenv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// Threads that may still be created; none for less. Every creation in this program passes here.
namespace {
std::atomic<int> g_creations{1 << 20};
}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*body)(void*), void* argument) {
  if (g_creations.fetch_sub(1) <= 0) return EAGAIN;
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, body, argument);
}

namespace octet {
namespace {

// The sum of the items 0 to 99 by a pool; each of them 1 to 3 times as often as threads are many,
// would be another.
std::int64_t sum_of_hundred(ThreadPool& pool, int threads, int pieces = 4) {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(threads) * 8);
  pool.run(100, threads, pieces, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t i = begin; i < end; ++i) sums[static_cast<std::size_t>(thread) * 8] += i;
  });
  std::int64_t sum = 0;
  for (const std::int64_t of_thread : sums) sum += of_thread;
  return sum;
}

int threads_now() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    ++count;
  return count;
}

// Whether thread 1 of the pool has run `body`. It need not come to any one loop, and on a busy
// machine it rests.
template <class Body>
bool on_other_thread(ThreadPool& pool, const Body& body) {
  std::atomic<bool> done{false};
  for (int i = 0; i < 20000 && !done; ++i) {
    pool.run(2, 2, 1, [&](std::int64_t, std::int64_t, int thread) {
      if (thread == 0) usleep(500);
      if (thread == 1 && !done.exchange(true)) body();
    });
  }
  return done;
}

#ifndef __SANITIZE_THREAD__
// What the body returns in a child process; -1 where it ended otherwise, after two minutes by
// force.
template <class Body>
int in_child(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(120);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#endif

std::string status_line(const std::string& key) {
  std::ifstream file("/proc/thread-self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) return line;
  }
  return "";
}

}  // namespace

TEST_CASE("thread pool: every item once, for any number of threads, pieces and items") {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 200; ++round) {
      for (const std::int64_t count : {1, 2, 3, 17, 100}) {
        const int pieces = 1 + round % 16;
        std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
        pool.run(count, 1 + round % threads, pieces,
                 [&](std::int64_t begin, std::int64_t end, int thread) {
                   if (thread > round % threads) calls[0] += 1000;
                   for (std::int64_t i = begin; i < end; ++i) ++calls[static_cast<std::size_t>(i)];
                 });
        for (const auto& of_item : calls) REQUIRE(of_item == 1);
      }
    }
  }
}

TEST_CASE("thread pool: loops see what the loop before them wrote, whoever wrote it") {
  ThreadPool pool(4);
  std::vector<std::int64_t> values(64), next(64);
  for (int round = 0; round < 3000; ++round) {
    pool.run(64, 4, 4, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i)
        next[static_cast<std::size_t>(i)] = values[static_cast<std::size_t>((i + 17) % 64)] + 1;
    });
    values.swap(next);
  }
  CHECK(values == std::vector<std::int64_t>(64, 3000));
}

TEST_CASE("thread pool: no thread before the first loop that wants one, none after its end") {
  const int before = threads_now();
  {
    ThreadPool pool(3);
    CHECK(sum_of_hundred(pool, 1) == 4950);
    CHECK(threads_now() == before);
    CHECK(sum_of_hundred(pool, 3) == 4950);
    CHECK(threads_now() == before + 2);
    usleep(5000);  // they sleep by now, and wake
    CHECK(sum_of_hundred(pool, 3) == 4950);
    CHECK(threads_now() == before + 2);
  }
  CHECK(threads_now() == before);
}

TEST_CASE("thread pool: where no thread can be created the others do the work") {
  const int before = threads_now();
  for (const int creations : {0, 1}) {
    ThreadPool pool(3);
    g_creations = creations;
    CHECK(sum_of_hundred(pool, 3) == 4950);
    CHECK(sum_of_hundred(pool, 3) == 4950);
    g_creations = 1 << 20;
    CHECK(threads_now() == before + creations);
    CHECK(sum_of_hundred(pool, 3) == 4950);
  }
}

#ifndef __SANITIZE_THREAD__  // which does not support threads that a child of fork starts
TEST_CASE("thread pool: a child of fork has threads of its own, and may end the parent's pool") {
  ThreadPool pool(2);
  REQUIRE(sum_of_hundred(pool, 2) == 4950);
  const auto child = [&] {
    auto inherited = std::make_unique<ThreadPool>(2);  // and one that has started nothing
    int failures = sum_of_hundred(pool, 2) != 4950 || sum_of_hundred(*inherited, 2) != 4950;
    failures += !on_other_thread(pool, [] {});
    failures += threads_now() != 3;
    failures += in_child([&] { return sum_of_hundred(pool, 2) == 4950 ? 7 : 1; }) != 7;
    return failures;
  };
  CHECK(in_child(child) == 0);
  auto* ended = new ThreadPool(2);
  REQUIRE(sum_of_hundred(*ended, 2) == 4950);
  CHECK(in_child([&] {
          delete ended;
          return 7;
        }) == 7);
  delete ended;
  CHECK(sum_of_hundred(pool, 2) == 4950);
}
#endif

TEST_CASE("thread pool: its threads block signals") {
  ThreadPool pool(2);
  std::string blocked;
  CHECK(on_other_thread(pool, [&] { blocked = status_line("SigBlk:"); }));
  sigset_t mine;
  pthread_sigmask(SIG_SETMASK, nullptr, &mine);
  CHECK(sigismember(&mine, SIGTERM) == 0);
  if (!blocked.empty()) CHECK(blocked.find("fffffffe7ffbfeff") != std::string::npos);
}

TEST_CASE("thread pool: on its threads floats behave as at a program's start") {
  const int rounding = fegetround();
  fesetround(FE_UPWARD);
  ThreadPool pool(2);
  int there = -1;
  const bool ran = on_other_thread(pool, [&] { there = fegetround(); });
  fesetround(rounding);
  CHECK(ran);
  CHECK(there == FE_TONEAREST);
}

TEST_CASE("thread pool: the caller may be pinned, its threads are not") {
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
  cpu_set_t there;
  CPU_ZERO(&there);
  ThreadPool pool(2);
  const bool ran = on_other_thread(pool, [&] { sched_getaffinity(0, sizeof(there), &there); });
  sched_setaffinity(0, sizeof(before), &before);
  CHECK(ran);
  CHECK(CPU_EQUAL(&there, &before));
}

}  // namespace octet
