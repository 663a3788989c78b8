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
TEST_CASE("edit distance counts insertions, deletions, replacements and swaps") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("lr", "rl") == 1);
  CHECK(edit_distance("epochs", "epohcs") == 1);
  CHECK(edit_distance("momentum", "momentm") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("nearest_typo: only what can be a misspelling") {
  CHECK(nearest_typo("lx", {"lr", "epochs"}) == "lr");
  CHECK(nearest_typo("xy", {"lr", "epochs"}).empty());
  CHECK(nearest_typo("momentmu", {"lr", "momentum"}) == "momentum");
  CHECK(nearest_typo("mometmu", {"lr", "momentum"}, 1).empty());
  CHECK(nearest_typo("epochs", {}).empty());
}

}  // namespace octet
