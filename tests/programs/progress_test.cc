// The progress line on a real terminal: tmux shows what a user would see.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/programs/run_program.h"
#include "tests/skip.h"

namespace octet::testing {
namespace {

// A detached terminal that runs one command, on a tmux server of its own.
class Terminal {
 public:
  Terminal(const Workplace& work, int columns, const std::string& command) : work_(work) {
    REQUIRE(tmux("-f /dev/null new-session -d -x " + std::to_string(columns) + " -y 24 '" +
                 command + "; echo ended; cat'")
                .exit_code == 0);
  }
  ~Terminal() { tmux("kill-server"); }

  void resize(std::size_t columns) const {
    REQUIRE(tmux("resize-window -x " + std::to_string(columns) + " -y 24").exit_code == 0);
  }
  void interrupt() const { REQUIRE(tmux("send-keys C-c").exit_code == 0); }

  // The lines that are on the screen and have scrolled off it, without empty ones.
  std::vector<std::string> lines() const {
    std::istringstream text(tmux("capture-pane -p -S -").out);
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
      if (!line.empty()) lines.push_back(line);
    }
    return lines;
  }

  // Waits until it does; gives up after two minutes, for a build with sanitizers is slow.
  bool shows(const std::function<bool(const std::vector<std::string>&)>& what) const {
    for (int i = 0; i < 1200; ++i) {
      if (what(lines())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }

 private:
  Outcome tmux(const std::string& arguments) const {
    return work_.run("env -u TMUX TMUX_TMPDIR=\"$PWD\" tmux -L octet " + arguments);
  }

  const Workplace& work_;
};

struct Shown {
  std::size_t lines = 0;    // of the progress display
  std::size_t longest = 0;  // of them
  bool has_eta = true;
};

Shown progress_of(const std::vector<std::string>& lines) {
  Shown shown;
  for (const std::string& line : lines) {
    if (line.find("float epoch ") == std::string::npos) continue;
    ++shown.lines;
    shown.longest = std::max(shown.longest, line.size());
    shown.has_eta = shown.has_eta && line.find("eta ") != std::string::npos;
  }
  return shown;
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("progress on a terminal of 80 and of 60 columns is one line, redrawn in place") {
  const Workplace work;
  if (work.run("tmux -V").exit_code != 0) return skip("tmux is not installed");
  // More epochs than anybody waits for; checkpoints rarely.
  const Terminal terminal(work, 80,
                          OCTET_TRAIN " --config " OCTET_SOURCE_DIR
                                      "/configs/lenet.yaml --threads 1 --out run "
                                      "--set data.name=mnist_sample --set train.epochs=10000");
  for (const std::size_t columns : {80, 60, 100}) {
    CAPTURE(columns);
    terminal.resize(columns);
    // A narrower terminal breaks the line that it shows, until that is drawn again.
    REQUIRE(terminal.shows([&](const auto& lines) {
      const Shown shown = progress_of(lines);
      return shown.lines == 1 && shown.longest < columns;
    }));
    for (int i = 0; i < 15; ++i) {
      const Shown shown = progress_of(terminal.lines());
      CHECK(shown.lines <= 1);  // none: it is just being drawn
      CHECK(shown.longest < columns);
      CHECK(shown.has_eta);
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
  terminal.interrupt();
  const auto has = [](const char* part) {
    return [part](const std::vector<std::string>& lines) {
      return std::any_of(lines.begin(), lines.end(), [part](const std::string& line) {
        return line.find(part) != std::string::npos;
      });
    };
  };
  REQUIRE(terminal.shows(has("ended")));
  CHECK(progress_of(terminal.lines()).lines == 0);
  CHECK(has("stopped and saved at step")(terminal.lines()));
}

TEST_CASE("progress into a file is whole lines, and none of them is redrawn") {
  const Workplace work;
  const Outcome outcome =
      work.run("train --config " OCTET_SOURCE_DIR
               "/configs/lenet.yaml --threads 1 --out run --set data.name=mnist_sample "
               "--set train.epochs=1 --set train.warmup_epochs=0");
  CHECK(outcome.exit_code == 0);
  CHECK(outcome.err.find("float 1/1  loss ") != std::string::npos);
  CHECK(outcome.err.find("epoch 1/1") == std::string::npos);
  CHECK(outcome.err.find('\r') == std::string::npos);
  CHECK(outcome.err.find('\033') == std::string::npos);
  CHECK(outcome.err.ends_with('\n'));
}

TEST_SUITE_END();

}  // namespace octet::testing
