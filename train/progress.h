#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace octet {

// What the progress display shows of a running epoch.
struct ProgressState {
  std::string phase;                   // "float" or "qat"
  std::int64_t epoch = 0, epochs = 0;  // epoch counts from 0
  std::int64_t step = 0, steps = 0;    // within the epoch
  std::int64_t images = 0;             // images trained in this call of the program, this phase
  std::int64_t images_left = 0;        // until the end of the phase
  double loss = 0.0;                   // mean over the epoch so far
  double top1 = 0.0;                   // percent, over the epoch so far
  double lr = 0.0;
};

// Progress on stderr. On a terminal: a bar that is redrawn in place at most ten times a second;
// otherwise nothing but whole lines. Results go to stdout and are not this class's business. Used
// by one thread at a time.
class Progress {
 public:
  Progress();  // looks whether stderr is a terminal; NO_COLOR and TERM=dumb are respected
  ~Progress();

  void begin_phase();  // restarts the clock of the rate
  void update(const ProgressState& state);
  // Prints a line that stays, above the bar.
  void line(const std::string& text);

  // Images per second since begin_phase.
  double rate(const ProgressState& state) const;

 private:
  using Clock = std::chrono::steady_clock;

  void erase();

  bool terminal_ = false;
  bool drawn_ = false;
  Clock::time_point begin_, last_draw_;
};

// "1:05" or "2:03:09"
std::string format_duration(double seconds);

}  // namespace octet
