#include "data/loader.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "data/in_memory.h"
#include "data/normalize.h"

namespace octet {
namespace {

std::vector<std::uint8_t> pixels_nearest_to_zero(const std::vector<float>& values,
                                                 std::size_t channels) {
  std::vector<std::uint8_t> nearest(channels, 0);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint8_t& best = nearest[i % channels];
    if (std::fabs(values[i]) < std::fabs(values[best * channels + i % channels])) {
      best = static_cast<std::uint8_t>(i / channels);
    }
  }
  return nearest;
}

// values: [256 * C], the real value of each pixel of each channel
void normalize(std::span<const std::uint8_t> pixels, const std::vector<float>& values, float* out) {
  const std::size_t channels = values.size() / 256;
  if (channels == 1) {
    for (std::size_t i = 0; i < pixels.size(); ++i) out[i] = values[pixels[i]];
    return;
  }
  for (std::size_t i = 0; i < pixels.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) out[i + c] = values[pixels[i + c] * channels + c];
  }
}

}  // namespace

DataLoader::DataLoader(std::shared_ptr<const Dataset> dataset, DataLoaderOptions options)
    : dataset_(std::move(dataset)),
      options_(std::move(options)),
      values_(value_table(options_.normalization)) {
  const auto channels = static_cast<std::size_t>(dataset_->image_shape()[2]);
  OCTET_CHECK(options_.batch_size > 0, "[data_loader] batch_size must be positive, got ",
              options_.batch_size);
  OCTET_CHECK(dataset_->size() > 0, "[data_loader] the dataset is empty");
  OCTET_CHECK(options_.normalization.mean.size() == channels, "[data_loader] the images have ",
              channels, " channels, the normalization has ", options_.normalization.mean.size());
  validate(options_.augment);
  validate(options_.progressive, dataset_->image_shape());
  hole_ = pixels_nearest_to_zero(values_, channels);
}

std::int64_t DataLoader::batches() const {
  const std::int64_t rest = options_.drop_last ? 0 : options_.batch_size - 1;
  return (dataset_->size() + rest) / options_.batch_size;
}

Shape DataLoader::image_shape(std::int64_t epoch) const {
  const Shape full = dataset_->image_shape();
  if (options_.progressive.start_size == 0) return full;
  const std::int64_t size = image_size(options_.progressive, full[0], epoch);
  return {size, size, full[2]};
}

DataLoader::Order DataLoader::order_of(std::int64_t epoch) const {
  if (!options_.shuffle) return nullptr;
  const std::lock_guard lock(mutex_);
  if (order_epoch_ != epoch) {
    order_ = std::make_shared<const std::vector<std::int64_t>>(random_permutation(
        dataset_->size(),
        Rng(options_.seed, RngPurpose::kShuffle, static_cast<std::uint32_t>(epoch))));
    order_epoch_ = epoch;
  }
  return order_;
}

// Which epochs, the even or the odd ones, is a coin's toss for each image.
bool DataLoader::mirrors(std::int64_t epoch, std::int64_t sample) const {
  Rng rng(options_.seed, RngPurpose::kFlip, 0, static_cast<std::uint32_t>(sample));
  return (rng.below(2) + epoch) % 2 == 1;
}

Batch DataLoader::batch(std::int64_t epoch, std::int64_t index) const {
  OCTET_CHECK(epoch >= 0 && epoch <= std::numeric_limits<std::uint32_t>::max() && index >= 0 &&
                  index < batches(),
              "[data_loader] there are ", batches(), " batches per epoch, asked for batch ", index,
              " of epoch ", epoch);
  const Order order = order_of(epoch);
  const Shape full_shape = dataset_->image_shape(), shape = image_shape(epoch);
  const std::int64_t first = index * options_.batch_size;
  const std::int64_t count = std::min(options_.batch_size, dataset_->size() - first);
  const auto numel = static_cast<std::size_t>(shape.numel());

  Batch batch;
  const Shape batch_shape{count, shape[0], shape[1], shape[2]};
  batch.images = Tensor::empty(batch_shape);
  batch.labels = Tensor::empty({count}, DType::kI32);
  batch.pixels = Tensor::empty(batch_shape, DType::kU8);
  float* images = batch.images.mutable_data();
  std::int32_t* labels = batch.labels.mutable_data<std::int32_t>();
  std::uint8_t* pixels = batch.pixels.mutable_data<std::uint8_t>();

  const bool varied = options_.augment != AugmentOptions{};
  const bool shrunk = shape != full_shape;
  parallel_for(count, [&](std::int64_t n) {
    const std::int64_t i = order ? (*order)[static_cast<std::size_t>(first + n)] : first + n;
    const auto at = static_cast<std::size_t>(n) * numel;
    const Sample sample = dataset_->get(i);
    const std::span<std::uint8_t> image(pixels + at, numel);
    static thread_local std::vector<std::uint8_t> full_image;
    std::span<const std::uint8_t> source = sample.pixels;
    if (varied) {
      if (shrunk) full_image.resize(sample.pixels.size());
      const std::span<std::uint8_t> target = shrunk ? std::span(full_image) : image;
      const Rng rng(options_.seed, RngPurpose::kAugment, static_cast<std::uint32_t>(epoch),
                    static_cast<std::uint32_t>(i));
      augment(sample.pixels, full_shape, options_.augment, hole_, rng, target,
              options_.augment.alternate_flip && mirrors(epoch, i));
      source = target;
    }
    if (shrunk) {
      shrink(source, full_shape[0], shape[0], shape[2], image);
    } else if (!varied) {
      std::copy(source.begin(), source.end(), image.begin());
    }
    normalize(image, values_, images + at);
    labels[n] = sample.label;
  });
  return batch;
}

}  // namespace octet
