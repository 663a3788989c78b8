#include "optim/lr_schedule.h"

#include <doctest/doctest.h>

#include <cmath>

#include "base/error.h"

namespace octet {
namespace {

using Kind = LrScheduleKind;

TEST_CASE("lr_schedule: constant, with a linear warm-up") {
  const LrSchedule plain({.kind = Kind::kConstant, .lr = 0.1f, .total_steps = 10});
  for (const int step : {0, 5, 9, 100}) CHECK(plain.lr_at(step) == 0.1f);
  const LrSchedule warm(
      {.kind = Kind::kConstant, .lr = 1.0f, .total_steps = 10, .warmup_steps = 4});
  const float expected[] = {0.25f, 0.5f, 0.75f, 1.0f, 1.0f, 1.0f};
  for (int step = 0; step < 6; ++step) CHECK(warm.lr_at(step) == expected[step]);
}

TEST_CASE("lr_schedule: cosine starts at lr, is half way in the middle, ends near 0") {
  const LrSchedule s({.kind = Kind::kCosine, .lr = 0.2f, .total_steps = 100});
  CHECK(s.lr_at(0) == 0.2f);
  CHECK(s.lr_at(50) == 0.1f);
  CHECK(s.lr_at(25) == doctest::Approx(0.2 * (1 + std::sqrt(0.5)) / 2));
  CHECK(s.lr_at(99) == doctest::Approx(0.1 * (1 + std::cos(0.99 * 3.14159265358979))));
  CHECK(s.lr_at(100) == s.lr_at(99));
  for (int step = 1; step < 100; ++step) CHECK(s.lr_at(step) < s.lr_at(step - 1));
}

TEST_CASE("lr_schedule: cosine after a warm-up covers the rest of the steps") {
  const LrSchedule s({.kind = Kind::kCosine, .lr = 1.0f, .total_steps = 110, .warmup_steps = 10});
  CHECK(s.lr_at(4) == 0.5f);
  CHECK(s.lr_at(9) == 1.0f);
  CHECK(s.lr_at(10) == 1.0f);
  CHECK(s.lr_at(60) == 0.5f);
}

// torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=100): peak at step 29, end at 99.
TEST_CASE("lr_schedule: one_cycle rises to its peak and falls, as PyTorch's does") {
  const LrSchedule s({.kind = Kind::kOneCycle, .lr = 1.0f, .total_steps = 100});
  CHECK(s.lr_at(0) == doctest::Approx(0.04));
  CHECK(s.lr_at(29) == 1.0f);
  CHECK(s.lr_at(64) == doctest::Approx(0.5 + 0.5 * 0.04e-4));
  CHECK(s.lr_at(99) == doctest::Approx(0.04e-4));
  for (int step = 1; step < 100; ++step) {
    CHECK((s.lr_at(step) > s.lr_at(step - 1)) == (step <= 29));
  }
  for (int total = 1; total < 8; ++total) {  // too short for a cycle: positive and bounded
    const LrSchedule tiny({.kind = Kind::kOneCycle, .lr = 1.0f, .total_steps = total});
    for (int step = 0; step < total; ++step) {
      CHECK(tiny.lr_at(step) > 0.0f);
      CHECK(tiny.lr_at(step) <= 1.0f);
    }
  }
}

TEST_CASE("lr_schedule: bad options") {
  CHECK_THROWS_AS(LrSchedule({.lr = 0.0f}), UsageError);
  CHECK_THROWS_AS(LrSchedule({.lr = std::nanf("")}), UsageError);
  CHECK_THROWS_AS(LrSchedule({.total_steps = 0}), UsageError);
  CHECK_THROWS_AS(LrSchedule({.total_steps = 5, .warmup_steps = 6}), UsageError);
}

}  // namespace
}  // namespace octet
