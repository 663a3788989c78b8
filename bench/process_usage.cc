#include "bench/process_usage.h"

#include <sys/resource.h>

#include <fstream>
#include <string>

#include "base/classic_locale.h"

namespace octet {
namespace {

// "VmHWM:     1234 kB" in a file of such lines, in bytes.
std::int64_t kilobyte_line(const char* path, const std::string& key) {
  Classic<std::ifstream> file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) != 0) continue;
    std::int64_t kilobytes = 0;
    if (Classic<std::istringstream>(line.substr(key.size())) >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

}  // namespace

std::int64_t peak_memory_bytes() { return kilobyte_line("/proc/self/status", "VmHWM:"); }

std::int64_t available_memory_bytes() { return kilobyte_line("/proc/meminfo", "MemAvailable:"); }

std::int64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

}  // namespace octet
