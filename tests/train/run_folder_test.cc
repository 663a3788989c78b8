#include "train/run_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "eval/run_files.h"
#include "tests/file/temp_folder.h"
#include "tests/programs/run_program.h"
#include "tests/text.h"
#include "train/metrics_log.h"
#include "train/progress.h"

namespace octet {
namespace fs = std::filesystem;
using testing::bytes_of;
using testing::read_text;
using testing::write_text;

namespace {

// A run folder with this config.yaml; its lock is given back.
fs::path make(const fs::path& runs, const std::string& name, const fs::path& out,
              const std::string& yaml) {
  const auto bytes = bytes_of(yaml);
  return create_run_folder(runs, name, out, {{"config.yaml", {bytes.begin(), bytes.end()}}})
      .folder();
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE(
    "run folder: the next free number, with its config inside, and an explicit one must not "
    "exist") {
  const TempFolder temp;
  const fs::path runs = fs::path(temp.path()) / "runs";
  CHECK(make(runs, "lenet", "", "a: 1\n") == runs / "lenet-001");
  CHECK(make(runs, "lenet", "", "a: 2\n") == runs / "lenet-002");
  CHECK(read_text(runs / "lenet-002" / "config.yaml") == "a: 2\n");
  fs::remove_all(runs / "lenet-001");
  CHECK(make(runs, "lenet", "", "a: 3\n") == runs / "lenet-001");
  const fs::path out = fs::path(temp.path()) / "mine";
  CHECK(make(runs, "lenet", out, "a: 4\n") == out);
  CHECK_THROWS_AS(make(runs, "lenet", out, "a: 5\n"), UsageError);
  CHECK(read_text(out / "config.yaml") == "a: 4\n");
  CHECK(make(runs, "lenet", out / "deep/er/", "a: 6\n") == out / "deep/er");
  CHECK_THROWS_AS(make(runs, "lenet", out / "deep/er/", "a: 7\n"), UsageError);
  CHECK(read_text(out / "deep/er/config.yaml") == "a: 6\n");
  CHECK(entries(runs) == 2);  // nothing half made is left
}

TEST_CASE("run folder: it is locked from the moment at which it appears, with the umask's mode") {
  const TempFolder temp;
  const mode_t before = ::umask(027);
  const RunLock lock = create_run_folder(temp / "runs", "a", "", {{"config.yaml", {}}});
  ::umask(before);
  CHECK(lock.folder() == temp / "runs/a-001");
  CHECK_THROWS_WITH_AS(RunLock(temp / "runs/a-001"), doctest::Contains("another process"), Error);
  CHECK(fs::status(temp / "runs/a-001").permissions() == fs::perms(0750));
}

TEST_CASE("run folder: what killed programs left is removed, what is anybody else's stays") {
  const TempFolder temp;
  const fs::path runs = fs::path(temp.path()) / "runs";
  const auto prepare = [&](const std::string& name, const std::string& file) {
    fs::create_directories(runs / name);
    write_text(runs / name / file, "x");
  };
  const std::string dead = ".new-run-0123456789abcdef", alive = ".new-run-aaaaaaaaaaaaaaaa",
                    full = ".new-run-bbbbbbbbbbbbbbbb", link = ".new-run-cccccccccccccccc",
                    process = ".new-run-" + std::to_string(::getpid());
  prepare(dead, "config.yaml");
  write_text(runs / dead / "config.yaml.tmp-1-2", "x");
  prepare(alive, "config.yaml");
  prepare(full, "precious");
  prepare(process, "config.yaml");  // a name that was once the next one, prepared by somebody
  fs::create_directories(temp / "elsewhere");
  write_text(temp / "elsewhere/config.yaml", "x");
  fs::create_directory_symlink("../elsewhere", runs / link);
  const RunLock living((runs / alive).string());

  CHECK(make(runs, "a", "", "a: 1\n") == runs / "a-001");
  CHECK(read_text(runs / "a-001/config.yaml") == "a: 1\n");
  CHECK_FALSE(fs::exists(runs / dead));
  for (const std::string& name : {alive, process})
    CHECK(read_text(runs / name / "config.yaml") == "x");
  CHECK(read_text(runs / full / "precious") == "x");
  CHECK(read_text(temp / "elsewhere/config.yaml") == "x");
  CHECK(entries(runs) == 5);
}

TEST_CASE("the newest finished run is the one with the newest summary") {
  const TempFolder temp;
  const fs::path runs = fs::path(temp.path()) / "runs";
  CHECK_THROWS_AS(newest_finished_run(runs), UsageError);
  const fs::path a = make(runs, "a", "", ""), b = make(runs, "b", "", "");
  make(runs, "c", "", "");  // has not finished
  write_text(b / "summary.json", "{}");
  CHECK(newest_finished_run(runs) == b);
  write_text(a / "summary.json", "{}");
  fs::last_write_time(a / "summary.json",
                      fs::last_write_time(b / "summary.json") + std::chrono::seconds(1));
  CHECK(newest_finished_run(runs) == a);
}

TEST_CASE(
    "metrics log: one line per record, and a resumed run cuts off what came after its checkpoint") {
  const TempFolder temp;
  const RunLock lock(temp.path());
  std::uint64_t at_checkpoint = 0;
  {
    MetricsLog log(lock, 0);
    log.write({{"epoch", 1}});
    at_checkpoint = log.size_bytes();
    log.write({{"epoch", 2}});
  }
  fs::create_hard_link(temp / "metrics.jsonl", temp / "backup");
  MetricsLog resumed(lock, at_checkpoint);
  CHECK(resumed.warning().empty());
  resumed.write({{"epoch", 22}});
  CHECK(read_text(temp / "metrics.jsonl") == "{\"epoch\":1}\n{\"epoch\":22}\n");
  CHECK(read_text(temp / "backup") == "{\"epoch\":1}\n{\"epoch\":2}\n");
}

TEST_CASE("metrics log: lines that are missing are named, and none is invented") {
  const TempFolder temp;
  const RunLock lock(temp.path());
  const std::string two = "{\"epoch\":1}\n{\"epoch\":2}\n";
  struct Case {
    const char* left;  // null: the file is missing
    std::size_t keep, kept;
  };
  for (const Case& c : {Case{nullptr, 24, 0}, Case{"", 24, 0}, Case{"{\"epoch\":1}\n{\"ep", 24, 12},
                        Case{two.c_str(), 20, 12}, Case{two.c_str(), 25, 24}}) {
    CAPTURE(c.keep);
    CAPTURE(c.kept);
    fs::remove(temp / "metrics.jsonl");
    if (c.left != nullptr) write_text(temp / "metrics.jsonl", c.left);
    MetricsLog log(lock, c.keep);
    CHECK(log.warning().find(std::to_string(c.kept) + " of the " + std::to_string(c.keep)) !=
          std::string::npos);
    CHECK((log.warning().find("is missing") != std::string::npos) == (c.left == nullptr));
    log.write({{"epoch", 3}});
    CHECK(read_text(temp / "metrics.jsonl") == two.substr(0, c.kept) + "{\"epoch\":3}\n");
    CHECK(log.size_bytes() == c.kept + 12);
  }
}

TEST_CASE("metrics log: what is no file of the folder is refused and left alone") {
  const TempFolder temp;
  create_folders(temp / "run");
  const RunLock lock(temp / "run");
  write_text(temp / "precious", "1\n2\n3\n");
  fs::create_symlink("../precious", temp / "run/metrics.jsonl");
  for (const std::uint64_t keep : {0, 2, 6, 20}) {
    CHECK_THROWS_WITH_AS(MetricsLog(lock, keep),
                         doctest::Contains("metrics.jsonl\" is a symbolic link"), Error);
  }
  CHECK(read_text(temp / "precious") == "1\n2\n3\n");
  fs::remove(temp / "run/metrics.jsonl");
  REQUIRE(::mkfifo((temp / "run/metrics.jsonl").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(MetricsLog(lock, 0), doctest::Contains("is not a regular file"), Error);
}

TEST_CASE("durations read as people write them") {
  CHECK(format_duration(0.4) == "0:00");
  CHECK(format_duration(65) == "1:05");
  CHECK(format_duration(7389) == "2:03:09");
}

}  // namespace octet
