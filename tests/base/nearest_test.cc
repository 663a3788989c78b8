#include "base/nearest.h"

#include <doctest/doctest.h>

namespace octet {
namespace {

TEST_CASE("nearest: the choice with the fewest edits, the first one on ties") {
  const std::vector<std::string> names = {"mnist", "fashion_mnist", "cifar10"};
  CHECK(nearest("mnsit", names) == "mnist");
  CHECK(nearest("fashion-mnist", names) == "fashion_mnist");
  CHECK(nearest("cifar", names) == "cifar10");
  CHECK(nearest("", {"ab", "cd", "e"}) == "e");
  CHECK(nearest("x", {"b", "a"}) == "b");
  CHECK(nearest("mnist", {}) == "");
}

}  // namespace
}  // namespace octet
