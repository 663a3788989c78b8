#include "train/describe_data.h"

#include <doctest/doctest.h>

#include "data/in_memory.h"

namespace octet {
namespace {

// counts[i] images of class i; their names are a, b, c ...
InMemoryDataset with_counts(const std::vector<int>& counts) {
  std::vector<std::int32_t> labels;
  std::vector<std::string> names;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    labels.insert(labels.end(), static_cast<std::size_t>(counts[c]), static_cast<std::int32_t>(c));
    names.push_back(std::string(1, static_cast<char>('a' + c)));
  }
  return {{1, 1, 1}, std::vector<std::uint8_t>(labels.size()), labels, names};
}

TEST_CASE("describe_data: the images of each class, in few words where there are many classes") {
  CHECK(describe_images(with_counts({3, 3, 3})) == "9 images, 3 of each of 3 classes");
  CHECK(describe_images(with_counts({12, 0, 3})) == "15 images (a 12, b 0, c 3)");
  std::vector<int> many(20, 5);
  many[3] = 1;
  many[4] = 9;
  CHECK(describe_images(with_counts(many)) == "100 images of 20 classes, from 1 (d) to 9 (e)");
  many.assign(20, 5);
  CHECK(describe_images(with_counts(many)) == "100 images, 5 of each of 20 classes");
}

TEST_CASE("describe_data: what an epoch leaves out, what is skipped, and batches beyond a class") {
  const auto lines = [](const std::vector<int>& counts, std::int64_t batch_size,
                        const std::vector<SkippedFiles>& skipped = {}) {
    return describe_data(with_counts(counts), with_counts({0, 0}), with_counts({1, 1}), skipped,
                         batch_size);
  };
  CHECK(lines({6, 6}, 4) == std::vector<std::string>{"train: 12 images, 6 of each of 2 classes",
                                                     "test: 2 images, 1 of each of 2 classes",
                                                     "epoch: 3 batches of 4"});
  CHECK(lines({7, 6}, 5)[2] ==
        "epoch: 2 batches of 5; the last 3 images, other ones each time, do not fill a batch and "
        "are left out");
  const auto hinted = lines({7, 3}, 5);
  REQUIRE(hinted.size() == 4);
  CHECK(hinted[3] ==
        "hint: data.batch_size 5 is larger than class \"b\", which has 3 images: many batches will "
        "have none or few of it");
  CHECK(lines({7, 3}, 128)[2] ==
        "hint: data.batch_size 128 is larger than the training set: each epoch is a single step of "
        "10 images; a smaller one makes more steps");
  CHECK(
      lines({6, 6}, 4, {{"hidden", 2, "train/a/.x"}, {"of other kinds", 1, "train/a/y.txt"}})[2] ==
      "skipped 3 files: 2 hidden such as \"train/a/.x\", 1 of other kinds such as "
      "\"train/a/y.txt\"");
  const auto validated =
      describe_data(with_counts({6, 6}), with_counts({1, 2}), with_counts({1, 1}), {}, 4);
  CHECK(validated[1] == "validation: 3 images (a 1, b 2)");
}

}  // namespace
}  // namespace octet
