// Cases that machinery_test.sh runs under ctest: the first word of a name is what ctest must say.
#include <doctest/doctest.h>

#include <cstdio>
#include <stdexcept>

#include "tests/skip.h"

using octet::testing::skip;

TEST_CASE("Passed: checks") { CHECK(1 + 1 == 2); }
TEST_CASE("Passed: checks, and says SKIPPED: ") {
  std::puts("SKIPPED: not at all\n***Skipped\ntest cases: 0 ");
  CHECK(1 + 1 == 2);
}
TEST_CASE("Skipped: says why") { return skip("no such machine"); }
TEST_CASE("Skipped: by a subcase") {
  SUBCASE("one") { return skip("no such machine"); }
  SUBCASE("another") { return skip("nor another"); }
}
TEST_CASE("Failed: is wrong") { CHECK(1 + 1 == 3); }
TEST_CASE("Failed: says SKIPPED: and is wrong") {
  std::puts("SKIPPED: not at all");
  CHECK(1 + 1 == 3);
}
TEST_CASE("Failed: skips and is wrong") {
  skip("no such machine");
  CHECK(1 + 1 == 3);
}
TEST_CASE("Failed: skips after a check") {
  CHECK(1 + 1 == 2);
  skip("no such machine");
}
TEST_CASE("Failed: one subcase checks and the other skips") {
  SUBCASE("one") { CHECK(1 + 1 == 2); }
  SUBCASE("another") { return skip("no such machine"); }
}
TEST_CASE("Failed: skips and throws") {
  skip("no such machine");
  throw std::runtime_error("wrong");
}
TEST_CASE("Failed: checks nothing") {}
TEST_CASE("Failed: has a name; cut by ctest") { CHECK(1 + 1 == 2); }
