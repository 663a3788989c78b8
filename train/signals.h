#pragma once

namespace octet {

// From now on the first SIGINT, SIGTERM or SIGHUP only sets a flag, so that the trainer can finish
// its step and save; another one, a second or more later, ends the program at once. SIGPIPE, a
// closed pipe on stdout or stderr, sets the flag as well, and never ends the program. A SIGHUP that
// is ignored (nohup) stays so. SIGXFSZ is ignored: a write beyond a file size limit is then an
// error like a full disk. Called again, it forgets what came before.
void catch_stop_signals();

// The signal that asked to stop, or 0.
int stop_signal();

// What stop_if_asked throws: no error, so it is none.
struct Interrupted {};

// For work that can be begun again, between its pieces. Throws Interrupted after a signal.
void stop_if_asked();

}  // namespace octet
