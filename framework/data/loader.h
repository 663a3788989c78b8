#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "data/dataset.h"
#include "data/progressive.h"
#include "data/transform.h"
#include "tensor/tensor.h"

namespace octet {

struct DataLoaderOptions {
  std::int64_t batch_size = 128;
  bool shuffle = false;                 // a new order each epoch
  bool drop_last = false;               // leaves out what does not fill a batch
  std::uint64_t seed = 0;               // of the order and of the augmentation
  AugmentOptions augment = {};          // off by default
  ProgressiveOptions progressive = {};  // of the augmented image; off by default
  Normalization normalization = {};     // one mean and std per channel of the dataset
};

struct Batch {
  Tensor images;  // F32 [N, H, W, C], normalized: value_table()[pixel, channel]
  Tensor labels;  // I32 [N]
  Tensor pixels;  // U8 [N, H, W, C], the same images as pixels: what the integer graph takes
};

// Makes batches of a dataset. `batch(epoch, index)` is a pure function of its arguments: the same
// for any number of threads, in any order of calls, and after a resume; there is no state to save.
// Safe to use from several threads.
class DataLoader {
 public:
  // Throws Error if the batch size is not positive, the dataset is empty, the normalization does
  // not have the dataset's number of channels, or an augmentation option is out of range or does
  // not suit the images.
  DataLoader(std::shared_ptr<const Dataset> dataset, DataLoaderOptions options);

  const Dataset& dataset() const { return *dataset_; }
  const DataLoaderOptions& options() const { return options_; }

  std::int64_t batches() const;  // per epoch
  // [H, W, C] of an epoch's images: the dataset's, or a smaller one (ProgressiveOptions).
  Shape image_shape(std::int64_t epoch) const;
  // The number `index` of an epoch's batches. Throws Error unless 0 <= index < batches() and
  // 0 <= epoch < 2^32.
  Batch batch(std::int64_t epoch, std::int64_t index) const;

 private:
  using Order = std::shared_ptr<const std::vector<std::int64_t>>;
  Order order_of(std::int64_t epoch) const;  // null where the samples come in order
  bool mirrors(std::int64_t epoch, std::int64_t sample) const;  // with augment.alternate_flip

  std::shared_ptr<const Dataset> dataset_;
  DataLoaderOptions options_;
  std::vector<float> values_;       // [256 * C]
  std::vector<std::uint8_t> hole_;  // [C]: the pixels whose value is nearest to 0
  mutable std::mutex mutex_;        // guards what follows: the order of the epoch asked for last
  mutable std::int64_t order_epoch_ = -1;
  mutable Order order_;
};

}  // namespace octet
