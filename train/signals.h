#pragma once

namespace octet {

// From now on the first SIGINT or SIGTERM only sets a flag, so that the trainer can finish its step
// and save; another one, a second or more later, ends the program at once. SIGXFSZ is ignored: a
// write beyond a file size limit is then an error like a full disk.
void catch_stop_signals();

// The signal that asked to stop, or 0.
int stop_signal();

}  // namespace octet
