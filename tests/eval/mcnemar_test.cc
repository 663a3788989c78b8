#include "eval/mcnemar.h"

#include <doctest/doctest.h>

#include <vector>

#include "base/error.h"

namespace octet {

TEST_CASE("mcnemar: p of small counts, computed by hand") {
  CHECK(mcnemar_p(0, 0) == 1.0);
  CHECK(mcnemar_p(3, 3) == 1.0);
  CHECK(mcnemar_p(0, 1) == doctest::Approx(1.0));           // 2 * 1 / 2
  CHECK(mcnemar_p(1, 5) == doctest::Approx(2.0 * 7 / 64));  // 1 + 6 of 2^6
  CHECK(mcnemar_p(5, 1) == doctest::Approx(2.0 * 7 / 64));  // either way round
  CHECK(mcnemar_p(10, 0) == doctest::Approx(2.0 / 1024));
  CHECK(mcnemar_p(2, 8) == doctest::Approx(2.0 * 56 / 1024));  // 1 + 10 + 45
  CHECK(mcnemar_p(4, 5) == doctest::Approx(1.0));              // 2 * 256 / 512
  CHECK_THROWS_AS(mcnemar_p(-1, 2), Error);
}

TEST_CASE("mcnemar: p of counts whose binomials are beyond a double") {
  // Python: min(1, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n), in exact fractions.
  CHECK(mcnemar_p(900, 1000) == doctest::Approx(0.02310884510890107));
  CHECK(mcnemar_p(4900, 5100) == doctest::Approx(0.04658552770494739));
  CHECK(mcnemar_p(0, 10000) == 0.0);  // 2^-9999
  CHECK(mcnemar_p(100, 300) == doctest::Approx(2.5918869069720767e-24));
}

TEST_CASE("compare: counts what only one gets right, and what both say") {
  const std::vector<std::int32_t> labels = {0, 1, 2, 3, 4, 5};
  const std::vector<std::int32_t> a = {0, 1, 2, 0, 0, 1};
  const std::vector<std::int32_t> b = {0, 0, 0, 3, 0, 2};
  const Comparison r = compare(a, b, labels);
  CHECK(r.images == 6);
  CHECK(r.same_prediction == 2);
  CHECK(r.only_a_correct == 2);
  CHECK(r.only_b_correct == 1);
  CHECK(r.mcnemar_p == doctest::Approx(1.0));
  CHECK_THROWS_AS(compare(a, b, std::vector<std::int32_t>{0}), Error);
}

}  // namespace octet
