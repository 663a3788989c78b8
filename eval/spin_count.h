#pragma once

namespace octet {

// For the first line of main: a thread of OpenMP that waits for work spins briefly, then sleeps
// (docs/decisions.md, 2026-11-30). libgomp reads GOMP_SPINCOUNT when it is loaded, before main; so
// where neither that nor OMP_WAIT_POLICY is set, this sets it and starts the program anew, in the
// same process with the same arguments.
void limit_spinning(char** argv);

}  // namespace octet
