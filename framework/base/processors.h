#pragma once

#include <string>
#include <vector>

namespace octet {

// Processors that this process may use: as many as its affinity names, but no more than the quota
// of its control group pays for (rounded up). At least 1. What the calling thread alone is pinned
// to does not count.
int available_processors();

// The quota alone, of cgroup v1 or v2 and of all groups above: processors, or a very large number
// where there is none.
//   root: where the file system begins, "" for the real one
int processors_of_quota(const std::string& root);

// The processors that the process may run on, a bit each, as the system calls take them; and lets
// the calling thread run on such ones.
std::vector<unsigned long> affinity_of_process();
void run_on(const std::vector<unsigned long>& processors) noexcept;

}  // namespace octet
