#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "io/config.h"
#include "io/run_lock.h"

namespace octet {

// What the run folder appears with, by name: enough to resume, whatever happens then.
std::map<std::string, std::vector<std::byte>> first_files(const Config& config);

// Writes meta.json: what a run's results depend on beside its config.
void write_meta(const RunLock& run, const Config& config, const DatasetSplits& data, int threads);

}  // namespace octet
