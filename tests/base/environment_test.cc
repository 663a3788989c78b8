#include <doctest/doctest.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <vector>

#include "base/classic_locale.h"
#include "base/error.h"
#include "base/float_environment.h"
#include "base/parallel.h"
#include "base/text.h"
#include "tests/odd_environments.h"

namespace octet {
namespace {

using testing::float_control;
using testing::kOddControls;
using testing::kUsualControl;
using testing::OddLocale;
using testing::ScopedFloatControl;

TEST_CASE("float environment: it is the usual one inside, and the caller's again behind") {
  REQUIRE(float_control() == kUsualControl);
  for (const auto& odd : kOddControls) {
    CAPTURE(std::string(odd.name));
    const ScopedFloatControl control(odd.bits);
    REQUIRE(float_control() == odd.bits);
    std::uint64_t outer = 0, inner = 0;
    {
      const FloatEnvironment environment;
      outer = float_control();
      const FloatEnvironment again;
      inner = float_control();
    }
    CHECK(outer == kUsualControl);
    CHECK(inner == kUsualControl);
  }
  CHECK(float_control() == kUsualControl);
}

struct Results {
  float halved = 0.0f, third = 0.0f;
  bool operator==(const Results&) const = default;
};

// The smallest normal number, halved: a denormal, unless flushed. Two thirds differ by rounding.
std::vector<Results> halves_and_thirds() {
  static volatile float smallest = 0x1p-126f, two = 2.0f, three = 3.0f;
  std::vector<Results> results(64);
  parallel_for(64, [&](std::int64_t i) {
    results[static_cast<std::size_t>(i)] = {smallest / two, two / three};
  });
  return results;
}

TEST_CASE("parallel_for: floats are computed alike on all threads, whatever they inherited") {
  const std::vector<Results> expected(64, {0x1p-127f, 2.0f / 3.0f});
  REQUIRE(halves_and_thirds() == expected);
  for (const int threads : {1, 3}) {
    CAPTURE(threads);
    set_num_threads(threads);
    for (const auto& odd : kOddControls) {
      CAPTURE(std::string(odd.name));
      const ScopedFloatControl control(odd.bits);
#ifdef _OPENMP  // the deployed half is built without: parallel_for has one thread there
#pragma omp parallel num_threads(threads)
#endif
      testing::set_float_control(odd.bits);
      const std::vector<Results> results = halves_and_thirds();
      int changed = 0;
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) reduction(+ : changed)
      {
        changed += float_control() != odd.bits;
        if (omp_get_thread_num() > 0) testing::set_float_control(kUsualControl);
      }
#else
      changed += float_control() != odd.bits;
#endif
      CHECK(results == expected);
      CHECK(changed == 0);
    }
  }
  set_num_threads(1);
}

TEST_CASE("classic locale: messages and tables have no grouped digits, and points") {
  const OddLocale locale;
  CHECK(message(1234567, ' ', 0.5, ' ', -1e-7f) == "1234567 0.5 -1e-07");
  CHECK(format("%.2f %d", 1234.5, 1234567) == "1234.50 1234567");
  double value = 0.0;
  int count = 0;
  Classic<std::istringstream>("1234.5 1234567") >> value >> count;
  CHECK(value == 1234.5);
  CHECK(count == 1234567);
  const ClassicLocale inside;
  CHECK(std::strtod("1.5", nullptr) == 1.5);
}

TEST_CASE("text: letters are those of ASCII") {
  CHECK((is_letter('a') && is_letter('Z') && !is_letter('\xE9') && !is_letter('1')));
  CHECK((is_digit('0') && is_digit('9') && !is_digit('a') && !is_digit('\xB2')));
  CHECK((to_lower('I') == 'i' && to_lower('i') == 'i' && to_lower('\xDD') == '\xDD'));
}

}  // namespace
}  // namespace octet
