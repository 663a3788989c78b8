#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "file/file_system.h"
#include "io/config.h"

namespace octet {

// What the command line asked for.
struct TrainRequest {
  Config config;  // resolved; on resume the one in the run folder, with overrides applied
  std::filesystem::path
      folder;  // of the run to resume; of a new one (--out), or empty for runs/<name>-NNN
  bool resume = false;
  int threads = 1;
  std::int64_t stop_after = 0;        // stop and save once the run has made so many steps; 0: never
  FileSystem* file_system = nullptr;  // that the run folder is written through; null: the real one
};

// Trains, quantizes, converts, evaluates; everything lies in the run folder afterwards, the table
// goes to stdout and progress to stderr; of a run that stop_after ends, the weights_sha256 so far.
// Returns the exit code: 0, or 128 + signal after a signal asked to stop and all was saved. Throws
// Error as its parts do; UsageError if a resumed run's config or data have changed, or if it has
// made stop_after steps already.
int run_training(const TrainRequest& request);

}  // namespace octet
