#pragma once

#include <string>

#include "data/dataset.h"
#include "io/checkpoint.h"
#include "io/config.h"

namespace octet {

// What only config, data and model together can show to be wrong. Throws UsageError that names the
// key; called before anything is written.
void check_request(const Config& config, const Dataset& train);

// What a checkpoint must have in common with the config and training set that go on with it: all
// but threads, where the data lie, and how often is saved. Throws UsageError naming the key.
//   folder: of the run, for messages
void check_resume(const std::string& folder, const Checkpoint& checkpoint, const Config& config,
                  const Dataset& train);

}  // namespace octet
