#pragma once

#include "data/dataset.h"
#include "io/config.h"

namespace octet {

// What data.progressive asks for can be done: the images shrink, the last epoch of the float phase
// has full size, and the model takes all sizes between (LeNet, with its linear layer on a map,
// takes one). Throws UsageError that names the key. Nothing to do where it is off or nothing is
// trained.
void check_image_sizes(const Config& config, const Dataset& train);

}  // namespace octet
