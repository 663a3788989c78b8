#pragma once

#include <string>

namespace octet::testing {

// This test case cannot run on this machine; ctest then says "Skipped", with the reason:
//
//   if (!cpu_has_sha()) return skip("this CPU has no SHA extensions");
//
// A case either checks or skips: main.cc fails the one that does both, or neither.
void skip(const std::string& reason);

}  // namespace octet::testing
