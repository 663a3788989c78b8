#include "data/in_memory.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "base/error.h"
#include "file/sha256.h"

namespace octet {
namespace {

static_assert(std::endian::native == std::endian::little, "hashes are over little-endian numbers");

// Over H, W, C (int64 each), and the pixels and label (int32) of each sample in order.
std::string hash_of(const Dataset& dataset) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(dataset.image_shape().dims())));
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const Sample sample = dataset.get(i);
    hash.update(std::as_bytes(sample.pixels));
    hash.update(std::as_bytes(std::span(&sample.label, 1)));
  }
  return hash.hex();
}

}  // namespace

InMemoryDataset::InMemoryDataset(Shape image_shape, std::vector<std::uint8_t> pixels,
                                 std::vector<std::int32_t> labels,
                                 std::vector<std::string> class_names)
    : image_shape_(std::move(image_shape)),
      pixels_(std::move(pixels)),
      labels_(std::move(labels)),
      class_names_(std::move(class_names)) {
  OCTET_CHECK(image_shape_.rank() == 3 && image_shape_.numel() > 0,
              "[dataset] images need a shape [H, W, C], got ", image_shape_);
  OCTET_CHECK(pixels_.size() / static_cast<std::size_t>(image_shape_.numel()) == labels_.size() &&
                  pixels_.size() % static_cast<std::size_t>(image_shape_.numel()) == 0,
              "[dataset] ", labels_.size(), " labels need as many images of shape ", image_shape_,
              ", got ", pixels_.size(), " bytes of pixels");
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    OCTET_CHECK(labels_[i] >= 0 && static_cast<std::size_t>(labels_[i]) < class_names_.size(),
                "[dataset] label ", labels_[i], " of sample ", i, " is not below ",
                class_names_.size());
  }
}

Sample InMemoryDataset::get(std::int64_t index) const {
  OCTET_CHECK(index >= 0 && index < size(), "[dataset] there are ", size(), " samples, asked for ",
              index);
  const auto i = static_cast<std::size_t>(index);
  const auto numel = static_cast<std::size_t>(image_shape_.numel());
  return {std::span(pixels_).subspan(i * numel, numel), labels_[i]};
}

std::string InMemoryDataset::sha256() const {
  std::call_once(sha256_once_, [this] { sha256_ = hash_of(*this); });
  return sha256_;
}

Subset::Subset(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices)
    : dataset_(std::move(dataset)), indices_(std::move(indices)) {
  for (const std::int64_t i : indices_) {
    OCTET_CHECK(i >= 0 && i < dataset_->size(), "[subset] there are ", dataset_->size(),
                " samples, asked for ", i);
  }
}

Sample Subset::get(std::int64_t index) const {
  OCTET_CHECK(index >= 0 && index < size(), "[subset] there are ", size(), " samples, asked for ",
              index);
  return dataset_->get(indices_[static_cast<std::size_t>(index)]);
}

std::string Subset::sha256() const {
  std::call_once(sha256_once_, [this] { sha256_ = hash_of(*this); });
  return sha256_;
}

std::pair<std::shared_ptr<const Dataset>, std::shared_ptr<const Dataset>> random_split(
    std::shared_ptr<const Dataset> dataset, std::int64_t count, std::uint64_t seed) {
  OCTET_CHECK(count >= 0 && count <= dataset->size(), "[random_split] cannot split ", count,
              " samples off ", dataset->size());
  std::vector<std::int64_t> off =
      random_permutation(dataset->size(), Rng(seed, RngPurpose::kSplit));
  const auto middle = off.begin() + count;
  std::vector<std::int64_t> rest(middle, off.end());
  off.erase(middle, off.end());
  std::sort(off.begin(), off.end());
  std::sort(rest.begin(), rest.end());
  return {std::make_shared<Subset>(dataset, std::move(rest)),
          std::make_shared<Subset>(dataset, std::move(off))};
}

std::vector<std::int64_t> random_permutation(std::int64_t count, Rng rng) {
  OCTET_CHECK(count >= 0 && count <= std::numeric_limits<std::uint32_t>::max(),
              "[random_permutation] cannot permute ", count, " samples");
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[rng.below(static_cast<std::uint32_t>(i))]);
  }
  return order;
}

}  // namespace octet
