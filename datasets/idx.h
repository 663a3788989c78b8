#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "datasets/dataset_file.h"

namespace octet {

// An array of bytes from an idx file, the format of MNIST: two zero bytes, the element type (8 =
// u8), the number of dimensions, each dimension as a big-endian u32, then the elements and nothing
// else. `data` points into the file's bytes.
struct IdxArray {
  Shape shape;
  std::span<const std::uint8_t> data;
};

// Throws Error that names the file, the byte, what was expected and the remedy, unless the file
// holds u8 elements in `rank` dimensions, all positive, and has exactly the size they make.
IdxArray parse_idx(const DatasetFile& file, int rank);

// A dataset of an image file [N, H, W] and a label file [N]; image_shape() is [H, W, 1].
// Throws Error if one is not right, the counts differ, or a label is not below class_names.size().
std::shared_ptr<const Dataset> parse_idx_dataset(const DatasetFile& images,
                                                 const DatasetFile& labels,
                                                 std::vector<std::string> class_names);

}  // namespace octet
