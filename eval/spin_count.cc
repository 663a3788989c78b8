#include "eval/spin_count.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace octet {
namespace {

constexpr const char* kSpinCount = "100";

}  // namespace

void limit_spinning(char** argv) {
  if (::getenv("GOMP_SPINCOUNT") != nullptr || ::getenv("OMP_WAIT_POLICY") != nullptr) return;
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (unknown || ::setenv("GOMP_SPINCOUNT", kSpinCount, 1) != 0) return;
  ::execv(program.c_str(), argv);  // returns if it cannot: then threads spin longer, no more
}

}  // namespace octet
