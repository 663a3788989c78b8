#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/shape.h"

namespace octet {

// One labelled image: H * W * C pixels of 8 bits, row by row, channels innermost. The pixels live
// as long as the dataset.
struct Sample {
  std::span<const std::uint8_t> pixels;
  std::int32_t label = 0;
};

// Labelled images of one size in a fixed order. Immutable and safe to read from several threads.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::int64_t size() const = 0;
  virtual Sample get(std::int64_t index) const = 0;
  virtual Shape image_shape() const = 0;  // [H, W, C]
  virtual const std::vector<std::string>& class_names() const = 0;
  // SHA-256 (hex) over image shape, pixels and labels: identifies the data in meta.json and in
  // checkpoints.
  virtual std::string sha256() const = 0;
};

// Per-channel normalization x = (p / 255 - mean[c]) / std[c] of u8 pixels.
struct Normalization {
  std::vector<float> mean;
  std::vector<float> std;
};

// Which parts of a dataset are read into memory.
enum class Splits { kAll, kTest };

// Files of a dataset's folders that are not used, for one reason.
struct SkippedFiles {
  std::string reason;  // "hidden", "HEIC (convert them to PNG or JPEG)"
  std::int64_t count = 0;
  std::string example;  // path of the first
};

// What the registry knows of a dataset.
struct DatasetSplits {
  std::shared_ptr<const Dataset> train;  // null where only the test set was asked for
  std::shared_ptr<const Dataset> test;
  Normalization normalization;
  std::vector<SkippedFiles> skipped = {};  // of the splits that were read, in an image_folder
};

}  // namespace octet
