#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace octet {

// What the progress display shows of a running epoch.
struct ProgressState {
  std::string phase;                   // "float" or "qat"
  std::int64_t epoch = 0, epochs = 0;  // epoch counts from 0
  std::int64_t step = 0, steps = 0;    // within the epoch
  std::int64_t images = 0;             // images trained in this call of the program, this phase
  double work_done = 0.0;              // in this call of the program, this phase (train/run_work.h)
  double work_left = 0.0;              // until the end of the run, in the same unit
  double loss = 0.0;                   // mean over the epoch so far
  double top1 = 0.0;                   // percent, over the epoch so far
  double lr = 0.0;
};

// Columns of the terminal behind `fd`: what the terminal says, else COLUMNS, else 80.
int terminal_columns(int fd);

// The progress display as one line of at most `columns` - 1 characters: in the last column of a
// terminal the next line would begin. What matters most stays where little fits: the epoch, the
// time that is left, loss, top-1, the bar, the rate, the learning rate.
std::string progress_text(const ProgressState& state, double images_per_second,
                          std::optional<double> seconds_left, int columns);

// Progress on stderr. On a terminal: one line that is redrawn in place at most ten times a second
// and fits the terminal as it is then; otherwise nothing but whole lines. Results go to stdout and
// are not this class's business. Used by one thread at a time.
class Progress {
 public:
  Progress();  // looks whether stderr is a terminal; NO_COLOR and TERM=dumb are respected
  ~Progress();

  void begin_phase();  // restarts the clock of the rate
  void update(const ProgressState& state);
  // Shows, on a terminal, what takes a while without steps, until something else is shown.
  void note(const std::string& text);
  // Prints a line that stays, above the bar.
  void line(const std::string& text);
  // Removes the bar or note, so that a result can be printed.
  void erase();

 private:
  using Clock = std::chrono::steady_clock;

  void draw(const std::string& text);

  bool terminal_ = false;
  bool drawn_ = false;
  Clock::time_point begin_, last_draw_;
};

// "1:05" or "2:03:09"
std::string format_duration(double seconds);

}  // namespace octet
