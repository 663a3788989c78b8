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

// A summary is the last thing that a run writes, an integer model comes after its last step: of a
// folder that has one, and lacks the checkpoint after the last step, nothing is trained again.
// Throws UsageError that says so, with the reason.
void refuse_finished(const Folder& folder, const char* why);

// The groups of a checkpoint are those that a run in this phase has, and their tensors hold what
// training can leave. Throws Error that starts with `source`.
void check_groups(const Checkpoint& checkpoint, const std::string& phase,
                  const std::string& source);

}  // namespace octet
