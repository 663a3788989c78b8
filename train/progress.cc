#include "train/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace octet {
namespace {

constexpr std::size_t kMinBar = 10, kMaxBar = 26;  // with its brackets

std::string bar(double fraction, std::size_t width) {
  const auto cells = static_cast<double>(width - 2);
  const auto full = static_cast<std::size_t>(std::lround(std::clamp(fraction, 0.0, 1.0) * cells));
  return "[" + std::string(full, '#') + std::string(width - 2 - full, '.') + "]";
}

}  // namespace

std::string format_duration(double seconds) {
  const long total = std::lround(std::max(0.0, seconds));
  char text[32];
  if (total >= 3600) {
    std::snprintf(text, sizeof(text), "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
  } else {
    std::snprintf(text, sizeof(text), "%ld:%02ld", total / 60, total % 60);
  }
  return text;
}

int terminal_columns(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  if (const char* text = std::getenv("COLUMNS"); text != nullptr) {
    const std::string_view word(text);
    int columns = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), columns);
    if (error == std::errc() && end == word.data() + word.size() && columns > 0) return columns;
  }
  return 80;
}

std::string progress_text(const ProgressState& state, double images_per_second,
                          std::optional<double> seconds_left, int columns) {
  const std::size_t width = columns > 1 ? static_cast<std::size_t>(columns - 1) : 0;
  const std::string begin = message(state.phase, " epoch ", state.epoch + 1, "/", state.epochs);
  const std::string eta = seconds_left ? "  eta " + format_duration(*seconds_left) : "";
  const std::string loss = format("  loss %.4f", state.loss);
  const std::string top1 = format("  top-1 %.2f", state.top1);
  const std::string rate = format("  %.0f img/s", images_per_second);
  const std::string lr = format("  lr %.2e", state.lr);

  if (begin.size() > width) return begin.substr(0, width);
  std::size_t left = width - begin.size();
  // Takes the room of a part, if there is enough.
  const auto takes = [&left](std::size_t size) {
    const bool fits = size <= left;
    if (fits) left -= size;
    return fits;
  };
  const bool shows_eta = takes(eta.size()), shows_loss = takes(loss.size()),
             shows_top1 = takes(top1.size()), shows_bar = takes(1 + kMinBar),
             shows_rate = takes(rate.size()), shows_lr = takes(lr.size());
  const double fraction =
      static_cast<double>(state.step) / static_cast<double>(std::max<std::int64_t>(1, state.steps));
  std::string text = begin;
  if (shows_bar) text += " " + bar(fraction, std::min(kMaxBar, kMinBar + left));
  if (shows_loss) text += loss;
  if (shows_top1) text += top1;
  if (shows_lr) text += lr;
  if (shows_rate) text += rate;
  if (shows_eta) text += eta;
  return text;
}

Progress::Progress() : begin_(Clock::now()), last_draw_(begin_) {
  const char* term = std::getenv("TERM");
  terminal_ = isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

Progress::~Progress() { erase(); }

void Progress::begin_phase() { begin_ = Clock::now(); }

void Progress::update(const ProgressState& state) {
  if (!terminal_) return;
  const Clock::time_point now = Clock::now();
  if (now - last_draw_ < std::chrono::milliseconds(100) && drawn_) return;
  last_draw_ = now;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  const double rate = seconds > 0.0 ? static_cast<double>(state.images) / seconds : 0.0;
  std::optional<double> seconds_left;
  if (state.work_done > 0.0) seconds_left = seconds * state.work_left / state.work_done;
  draw(progress_text(state, rate, seconds_left, terminal_columns(STDERR_FILENO)));
}

void Progress::note(const std::string& text) {
  if (!terminal_) return;
  const int columns = terminal_columns(STDERR_FILENO);
  draw(text.substr(0, columns > 1 ? static_cast<std::size_t>(columns - 1) : 0));
}

// The cursor stays at the line's begin: when the terminal becomes narrower and breaks the line, all
// pieces of it lie behind the cursor and are erased the next time.
void Progress::draw(const std::string& text) {
  drawn_ = true;
  std::fprintf(stderr, "\r\033[J%s\r", text.c_str());
  std::fflush(stderr);
}

void Progress::line(const std::string& text) {
  erase();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void Progress::erase() {
  if (!drawn_) return;
  std::fputs("\r\033[J", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace octet
