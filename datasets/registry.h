#pragma once

#include <string>
#include <vector>

#include "base/shape.h"
#include "data/dataset.h"

namespace octet {

// What only some datasets need.
struct DatasetOptions {
  Shape image_shape = {};  // image_folder: [H, W, C] to convert every image to; rank 0: as they are
  Splits splits = Splits::kAll;  // that are read

  bool operator==(const DatasetOptions&) const = default;
};

// The names that load_dataset knows: "mnist", "fashion_mnist", "cifar10", "image_folder",
// "mnist_sample".
std::vector<std::string> registered_datasets();

// Loads a dataset into memory. `root` is the folder that holds one folder per dataset ("data"); for
// image_folder the folder that holds train and test; mnist_sample comes with the repository.
// Throws UsageError that suggests the nearest name if there is no such dataset, or if another one
// than image_folder is given an image_shape; Error with file, byte and remedy if a file is missing
// or not right.
DatasetSplits load_dataset(const std::string& name, const std::string& root,
                           const DatasetOptions& options = {});

}  // namespace octet
