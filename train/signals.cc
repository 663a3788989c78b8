#include "train/signals.h"

#include <time.h>

#include <csignal>

namespace octet {
namespace {

volatile std::sig_atomic_t g_signal = 0;
timespec g_first;  // written before g_signal, by whoever asked first

// `timeout` and batch systems send the same signal to the process and to its group: within a second
// of the first, another one is the same wish. (clock_gettime and raise may be called here.)
void on_signal(int signal) {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (g_signal == 0) {
    g_first = now;
    g_signal = signal;
    return;
  }
  // Each line that nobody reads raises another one.
  if (signal == SIGPIPE) return;
  const auto seconds = now.tv_sec - g_first.tv_sec;
  if (seconds < 1 || (seconds == 1 && now.tv_nsec < g_first.tv_nsec)) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void catch_stop_signals() {
  g_signal = 0;
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  std::signal(SIGPIPE, on_signal);
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

int stop_signal() { return g_signal; }

void stop_if_asked() {
  if (g_signal != 0) throw Interrupted{};
}

}  // namespace octet
