#pragma once

#include <cstdint>

namespace octet {

// The most memory that this process has had in RAM so far, in bytes (VmHWM of /proc/self/status);
// 0 where the system does not say.
std::int64_t peak_memory_bytes();

// Memory that a new allocation can get without swapping, in bytes (MemAvailable of /proc/meminfo);
// 0 where the system does not say.
std::int64_t available_memory_bytes();

// Page faults of this process so far, all threads, that needed no reading from disk
// (getrusage(2), ru_minflt): each is memory touched for the first time.
std::int64_t page_faults();

}  // namespace octet
