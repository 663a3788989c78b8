#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "data/dataset.h"

namespace octet {

// A dataset that lies in memory completely. Immutable and safe to read from several threads.
class InMemoryDataset final : public Dataset {
 public:
  // pixels: [N, H, W, C], labels: [N]. Throws Error if the sizes do not agree, an extent is not
  // positive, or a label is outside [0, class_names.size()).
  InMemoryDataset(Shape image_shape, std::vector<std::uint8_t> pixels,
                  std::vector<std::int32_t> labels, std::vector<std::string> class_names);

  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  Sample get(std::int64_t index) const override;
  Shape image_shape() const override { return image_shape_; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  std::string sha256() const override;

 private:
  Shape image_shape_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::int32_t> labels_;
  std::vector<std::string> class_names_;
  mutable std::once_flag sha256_once_;
  mutable std::string sha256_;
};

// Some samples of another dataset, in the order of `indices`. Immutable and safe to read from
// several threads.
class Subset final : public Dataset {
 public:
  // Throws Error if an index is outside the dataset.
  Subset(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices);

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  Sample get(std::int64_t index) const override;
  Shape image_shape() const override { return dataset_->image_shape(); }
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  std::string sha256() const override;

 private:
  std::shared_ptr<const Dataset> dataset_;
  std::vector<std::int64_t> indices_;
  mutable std::once_flag sha256_once_;
  mutable std::string sha256_;
};

// Splits off `count` random samples, always the same ones for one seed: {the rest, the samples
// split off}, each in ascending order of index. For a validation set. Throws Error unless
// 0 <= count <= dataset.size().
std::pair<std::shared_ptr<const Dataset>, std::shared_ptr<const Dataset>> random_split(
    std::shared_ptr<const Dataset> dataset, std::int64_t count, std::uint64_t seed);

// 0 ... count-1 in random order, by Fisher and Yates. Throws Error unless 0 <= count < 2^32.
std::vector<std::int64_t> random_permutation(std::int64_t count, Rng rng);

}  // namespace octet
