#include "data/in_memory.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/error.h"

namespace octet {
namespace {

std::shared_ptr<const Dataset> numbered(int count) {  // image i is one pixel i, label i % 2
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  for (int i = 0; i < count; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(i));
    labels.push_back(i % 2);
  }
  return std::make_shared<InMemoryDataset>(Shape{1, 1, 1}, pixels, labels,
                                           std::vector<std::string>{"even", "odd"});
}

TEST_CASE("in_memory: gives pixels and labels back and rejects what does not fit") {
  const InMemoryDataset dataset({1, 2, 1}, {1, 2, 3, 4}, {1, 0}, {"a", "b"});
  CHECK(dataset.size() == 2);
  CHECK(dataset.get(1).pixels[0] == 3);
  CHECK(dataset.get(1).pixels.size() == 2);
  CHECK(dataset.get(0).label == 1);
  CHECK_THROWS_AS(dataset.get(2), Error);
  CHECK_THROWS_AS(dataset.get(-1), Error);
  CHECK_THROWS_AS(InMemoryDataset({1, 2, 1}, {1, 2, 3}, {1}, {"a", "b"}), Error);
  CHECK_THROWS_AS(InMemoryDataset({1, 2, 1}, {1, 2}, {1, 1}, {"a", "b"}), Error);
  CHECK_THROWS_AS(InMemoryDataset({1, 2, 1}, {1, 2}, {2}, {"a", "b"}), Error);
  CHECK_THROWS_AS(InMemoryDataset({1, 2, 1}, {1, 2}, {-1}, {"a", "b"}), Error);
  CHECK_THROWS_AS(InMemoryDataset({2, 1}, {1, 2}, {1}, {"a", "b"}), Error);
  CHECK_THROWS_AS(InMemoryDataset({0, 1, 1}, {}, {}, {"a"}), Error);
}

TEST_CASE("in_memory: the hash depends on shape, pixels and labels") {
  const auto hash = [](Shape shape, std::vector<std::uint8_t> pixels, std::int32_t label) {
    return InMemoryDataset(std::move(shape), std::move(pixels), {label}, {"a", "b"}).sha256();
  };
  std::set<std::string> hashes = {hash({1, 2, 1}, {1, 2}, 0), hash({2, 1, 1}, {1, 2}, 0),
                                  hash({1, 2, 1}, {1, 3}, 0), hash({1, 2, 1}, {1, 2}, 1)};
  CHECK(hashes.size() == 4);
  CHECK(hash({1, 2, 1}, {1, 2}, 0) == hash({1, 2, 1}, {1, 2}, 0));
  CHECK(hashes.begin()->size() == 64);
}

TEST_CASE("subset: looks through to its dataset, all of it has the dataset's hash") {
  const auto dataset = numbered(5);
  const Subset subset(dataset, {4, 1});
  CHECK(subset.size() == 2);
  CHECK(subset.get(0).pixels[0] == 4);
  CHECK(subset.get(1).label == 1);
  CHECK(subset.sha256() != dataset->sha256());
  CHECK(Subset(dataset, {0, 1, 2, 3, 4}).sha256() == dataset->sha256());
  CHECK_THROWS_AS(subset.get(2), Error);
  CHECK_THROWS_AS(Subset(dataset, {5}), Error);
}

TEST_CASE("random_split: disjoint, complete, and a function of the seed") {
  const auto dataset = numbered(100);
  const auto [rest, off] = random_split(dataset, 20, 7);
  CHECK(rest->size() == 80);
  CHECK(off->size() == 20);
  std::set<int> seen;
  for (const auto& part : {rest, off}) {
    for (std::int64_t i = 0; i < part->size(); ++i) seen.insert(part->get(i).pixels[0]);
  }
  CHECK(seen.size() == 100);
  CHECK(random_split(dataset, 20, 7).second->sha256() == off->sha256());
  CHECK(random_split(dataset, 20, 8).second->sha256() != off->sha256());
  CHECK(random_split(dataset, 0, 7).second->size() == 0);
  CHECK_THROWS_AS(random_split(dataset, 101, 7), Error);
  CHECK_THROWS_AS(random_split(dataset, -1, 7), Error);
}

TEST_CASE("random_permutation: every place is about equally likely for every sample") {
  int counts[4][4] = {};
  for (std::uint32_t seed = 0; seed < 4000; ++seed) {
    const std::vector<std::int64_t> order = random_permutation(4, Rng(seed, RngPurpose::kShuffle));
    for (std::size_t place = 0; place < 4; ++place) ++counts[place][order[place]];
  }
  for (const auto& row : counts) {
    for (const int count : row) {  // 1000 expected, standard deviation 27
      CHECK(count > 860);
      CHECK(count < 1140);
    }
  }
}

}  // namespace
}  // namespace octet
