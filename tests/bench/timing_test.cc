#include "bench/timing.h"

#include <doctest/doctest.h>

#include "base/error.h"

namespace octet {
namespace {

TEST_CASE("timing_of: best, median and 90 % by nearest rank, in any order") {
  const Timing ten = timing_of({10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  CHECK(ten.best_ms == 1);
  CHECK(ten.median_ms == 5);
  CHECK(ten.p90_ms == 9);
  CHECK(ten.repetitions == 10);
  const Timing one = timing_of({3});
  CHECK(one.best_ms == 3);
  CHECK(one.median_ms == 3);
  CHECK(one.p90_ms == 3);
  CHECK_THROWS_AS(timing_of({}), Error);
}

TEST_CASE("measure: as many repetitions as asked for, and at least one") {
  int calls = 0;
  const Timing timing = measure([&] { ++calls; }, {.repetitions = 7, .seconds = 0.0});
  CHECK(calls == 7);
  CHECK(timing.repetitions == 7);
  CHECK(measure([&] { ++calls; }, {.repetitions = 0, .seconds = 0.0}).repetitions == 1);
}

}  // namespace
}  // namespace octet
