#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace octet {

// What a run is about to train on, in lines for its start: the images of each split and class, the
// files that are left out and why, what an epoch leaves out (drop_last), and a hint where a batch
// is larger than a class.
//   train, validation, test: `validation` may be empty
std::vector<std::string> describe_data(const Dataset& train, const Dataset& validation,
                                       const Dataset& test,
                                       const std::vector<SkippedFiles>& skipped,
                                       std::int64_t batch_size);

// "50000 images, 5000 of each of 10 classes", or where the classes differ "15 images (cat 12,
// dog 3)", and of more than 12 classes the smallest and the largest: "90 images of 40 classes,
// from 1 (lynx) to 9 (cat)". A class without images is named.
std::string describe_images(const Dataset& images);

}  // namespace octet
