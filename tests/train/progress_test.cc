#include "train/progress.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tests/testing.h"

namespace octet {
namespace {

ProgressState example() {
  return {.phase = "float",
          .epoch = 0,
          .epochs = 2,
          .step = 200,
          .steps = 390,
          .loss = 1.6382,
          .top1 = 41.28,
          .lr = 9.53e-2};
}

// The longest that a run can show.
ProgressState longest() {
  return {.phase = "float",
          .epoch = 99999,
          .epochs = 100000,
          .step = 12345678,
          .steps = 12345679,
          .loss = 123456.789,
          .top1 = 100.0,
          .lr = 1.0e-100};
}

// A terminal of our own, to ask for its size.
class PseudoTerminal {
 public:
  PseudoTerminal() : controller_(posix_openpt(O_RDWR | O_NOCTTY)) {
    REQUIRE(controller_ >= 0);
    REQUIRE(grantpt(controller_) == 0);
    REQUIRE(unlockpt(controller_) == 0);
    terminal_ = open(ptsname(controller_), O_RDWR | O_NOCTTY);
    REQUIRE(terminal_ >= 0);
  }
  ~PseudoTerminal() {
    close(terminal_);
    close(controller_);
  }
  int fd() const { return terminal_; }
  void resize(int columns) const {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = static_cast<unsigned short>(columns);
    REQUIRE(ioctl(controller_, TIOCSWINSZ, &size) == 0);
  }

 private:
  int controller_, terminal_ = -1;
};

}  // namespace

TEST_SUITE_BEGIN("train");

TEST_CASE("progress: the line leaves the last column of every terminal free") {
  for (int columns = 1; columns <= 200; ++columns) {
    CAPTURE(columns);
    for (const ProgressState& state : {example(), longest()}) {
      for (const double seconds : {12.0, 360000.0 * 24}) {
        const std::string text = progress_text(state, 6437.0, seconds, columns);
        CAPTURE(text);
        CHECK(text.size() <= static_cast<std::size_t>(columns - 1));
        CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; }));
      }
    }
  }
}

TEST_CASE("progress: what matters most stays where little fits") {
  const auto text = [](int columns) { return progress_text(example(), 6437.0, 12.0, columns); };
  CHECK(text(20) == "float epoch 1/2");
  CHECK(text(40) == "float epoch 1/2  loss 1.6382  eta 0:12");
  CHECK(text(60) == "float epoch 1/2  loss 1.6382  top-1 41.28  eta 0:12");
  CHECK(text(80) ==
        "float epoch 1/2 [#######......]  loss 1.6382  top-1 41.28  6437 img/s  eta 0:12");
  CHECK(text(200) ==
        "float epoch 1/2 [############............]  loss 1.6382  top-1 41.28  lr 9.53e-02  "
        "6437 img/s  eta 0:12");
  CHECK(progress_text(example(), 6437.0, std::nullopt, 80).find("eta") == std::string::npos);
}

TEST_CASE("progress: the terminal says how wide it is, then COLUMNS, then 80") {
  const PseudoTerminal terminal;
  const int file = open("/dev/null", O_RDWR);
  const char* before = std::getenv("COLUMNS");
  const std::string restored = before == nullptr ? "" : before;

  setenv("COLUMNS", "133", 1);
  terminal.resize(60);
  CHECK(terminal_columns(terminal.fd()) == 60);
  terminal.resize(97);  // it is asked again each time
  CHECK(terminal_columns(terminal.fd()) == 97);
  CHECK(terminal_columns(file) == 133);
  terminal.resize(0);  // a serial line does not know
  CHECK(terminal_columns(terminal.fd()) == 133);
  for (const char* wrong : {"", "0", "-5", "wide", "80x24", "99999999999"}) {
    setenv("COLUMNS", wrong, 1);
    CHECK(terminal_columns(file) == 80);
  }
  unsetenv("COLUMNS");
  CHECK(terminal_columns(file) == 80);

  if (before != nullptr) setenv("COLUMNS", restored.c_str(), 1);
  close(file);
}

TEST_SUITE_END();

}  // namespace octet
