// How the library's threads behave in a program that is not ours: it forks, it pins itself, it asks
// for more than there are processors.
#include <doctest/doctest.h>
#include <octet/c_api.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "tests/deploy/models.h"

namespace octet {
namespace {

using testing::Handle;
using testing::lenet_graph;
using testing::logits_of;
using testing::random_pixels;

constexpr std::int64_t kBatch = 64;  // of LeNet: enough for two threads and more

struct Free {
  void operator()(octet_executor* executor) const { octet_executor_free(executor); }
};
using ExecutorHandle = std::unique_ptr<octet_executor, Free>;

ExecutorHandle executor_of(const Handle& model, int threads) {
  octet_executor* executor = nullptr;
  octet_executor_create(model.get(), kBatch, threads, &executor);
  return ExecutorHandle(executor);
}

bool gives(octet_executor* executor, const std::vector<std::uint8_t>& images,
           const std::vector<std::int32_t>& expected) {
  std::vector<std::int32_t> logits(expected.size(), -1);
  return octet_executor_run_u8(executor, images.data(), images.size(), logits.data(),
                               logits.size()) == OCTET_OK &&
         logits == expected;
}

}  // namespace

TEST_SUITE_BEGIN("deploy");

#ifndef __SANITIZE_THREAD__  // which does not support threads that a child of fork starts
TEST_CASE("threads: a child of fork runs and frees executors, its parent's and its own") {
  const Handle model(lenet_graph());
  const auto images = random_pixels(kBatch * 784);
  const auto expected = logits_of(lenet_graph(), images, kBatch);
  for (const int threads : {1, 2, 4}) {
    for (const bool ran : {false, true}) {
      CAPTURE(threads);
      CAPTURE(ran);
      ExecutorHandle inherited = executor_of(model, threads);
      ExecutorHandle unused = executor_of(model, threads);
      if (ran) REQUIRE(gives(inherited.get(), images, expected));
      const pid_t child = fork();
      if (child == 0) {
        alarm(120);
        bool right = gives(inherited.get(), images, expected);
        right &= gives(executor_of(model, threads).get(), images, expected);
        right &= gives(inherited.get(), images, expected);
        inherited.reset();
        unused.reset();
        _exit(right ? 7 : 1);
      }
      int status = 0;
      waitpid(child, &status, 0);
      CHECK(WIFEXITED(status));
      CHECK(WEXITSTATUS(status) == 7);
      CHECK(gives(inherited.get(), images, expected));
    }
  }
}
#endif

TEST_CASE("threads: a pinned caller may ask for two, and for more than there are processors") {
  const Handle model(lenet_graph());
  const auto images = random_pixels(kBatch * 784);
  const auto expected = logits_of(lenet_graph(), images, kBatch);
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
  for (const int threads : {0, 2, 9}) {
    const ExecutorHandle executor = executor_of(model, threads);
    REQUIRE(executor != nullptr);
    for (int i = 0; i < 3; ++i) CHECK(gives(executor.get(), images, expected));
  }
  sched_setaffinity(0, sizeof(before), &before);
}

TEST_SUITE_END();

}  // namespace octet
