#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "datasets/dataset_file.h"

namespace octet {

// CIFAR-10 (Krizhevsky 2009), binary version: 50,000 training and 10,000 test images of 10 classes,
// 32 x 32 x 3. Reads <root>/cifar10/test_batch.bin, and data_batch_{1..5}.bin unless only the test
// set is asked for.
// Throws Error with file, byte and remedy when a file is missing or not right; pixels are the codes
// of the integer model (data/normalize.h).
DatasetSplits load_cifar10(const std::string& root, Splits splits = Splits::kAll,
                           Checksums checksums = Checksums::kVerify);

// A dataset of .bin files: records of one label byte (0 ... 9) and three planes R, G, B of 32 x 32
// pixels. Throws Error unless each file is a positive number of whole records with such labels.
std::shared_ptr<const Dataset> parse_cifar10(const std::vector<DatasetFile>& files);

}  // namespace octet
