#include "train/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace octet {
namespace {

constexpr int kBarWidth = 24;

std::string bar(double fraction) {
  const int full = static_cast<int>(std::lround(std::clamp(fraction, 0.0, 1.0) * kBarWidth));
  return "[" + std::string(static_cast<std::size_t>(full), '#') +
         std::string(static_cast<std::size_t>(kBarWidth - full), '.') + "]";
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

Progress::Progress() : begin_(Clock::now()), last_draw_(begin_) {
  const char* term = std::getenv("TERM");
  terminal_ = isatty(STDERR_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

Progress::~Progress() { erase(); }

void Progress::begin_phase() { begin_ = Clock::now(); }

double Progress::rate(const ProgressState& state) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  return seconds > 0.0 ? static_cast<double>(state.images) / seconds : 0.0;
}

void Progress::update(const ProgressState& state) {
  if (!terminal_) return;
  const Clock::time_point now = Clock::now();
  if (now - last_draw_ < std::chrono::milliseconds(100) && drawn_) return;
  last_draw_ = now;
  drawn_ = true;
  const double images_per_second = rate(state);
  const double eta =
      images_per_second > 0.0 ? static_cast<double>(state.images_left) / images_per_second : 0.0;
  std::fprintf(stderr,
               "\r\033[K%s epoch %lld/%lld %s loss %.4f  top-1 %.2f  lr %.2e  %.0f img/s  eta %s",
               state.phase.c_str(), static_cast<long long>(state.epoch + 1),
               static_cast<long long>(state.epochs),
               bar(static_cast<double>(state.step) /
                   static_cast<double>(std::max<std::int64_t>(1, state.steps)))
                   .c_str(),
               state.loss, state.top1, state.lr, images_per_second, format_duration(eta).c_str());
  std::fflush(stderr);
}

void Progress::line(const std::string& text) {
  erase();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void Progress::erase() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

}  // namespace octet
