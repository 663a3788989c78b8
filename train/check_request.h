#pragma once

#include "data/dataset.h"
#include "io/config.h"

namespace octet {

// What only config, data and model together can show to be wrong. Throws UsageError that names the
// key; called before anything is written.
void check_request(const Config& config, const Dataset& train);

}  // namespace octet
