#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/file/temp_folder.h"

// Runs the built programs as a user does, in a folder of its own.
namespace octet::testing {

struct Outcome {
  int exit_code = -1;  // 128 + signal if a signal ended it
  std::string out, err;
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
}

// A temporary folder, removed with its content at the end; commands run inside it.
class Workplace {
 public:
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  // A line for the shell, in which train, eval_ and bench are the programs: run("train --help").
  // (eval is a word of the shell.)
  Outcome run(const std::string& line) const {
    const std::string command = "cd " + folder_.path() +
                                " && TRAIN='" OCTET_TRAIN "' && train() { '" OCTET_TRAIN
                                "' \"$@\"; } && eval_() { '" OCTET_EVAL
                                "' \"$@\"; } && bench() { '" OCTET_BENCH "' \"$@\"; } && { " +
                                line + "; } >.out 2>.err </dev/null";
    const int status = std::system(command.c_str());
    Outcome outcome{.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                    .out = read_text(*this / ".out"),
                    .err = read_text(*this / ".err")};
    return outcome;
  }

 private:
  TempFolder folder_;
};

// What a run wrote of itself.
inline nlohmann::json summary(const Workplace& work, const std::string& run) {
  return nlohmann::json::parse(read_text(work / (run + "/summary.json")));
}

}  // namespace octet::testing
