#include "train/run_folder.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/error.h"
#include "eval/run_files.h"
#include "tests/file/temp_folder.h"
#include "tests/programs/run_program.h"
#include "train/metrics_log.h"
#include "train/progress.h"

namespace octet {
namespace fs = std::filesystem;
using testing::read_text;
using testing::write_text;

TEST_CASE(
    "run folder: the next free number, with its config inside, and an explicit one must not "
    "exist") {
  const TempFolder temp;
  const fs::path runs = fs::path(temp.path()) / "runs";
  CHECK(create_run_folder(runs, "lenet", "", "a: 1\n") == runs / "lenet-001");
  CHECK(create_run_folder(runs, "lenet", "", "a: 2\n") == runs / "lenet-002");
  CHECK(read_text(runs / "lenet-002" / "config.yaml") == "a: 2\n");
  fs::remove_all(runs / "lenet-001");
  CHECK(create_run_folder(runs, "lenet", "", "a: 3\n") == runs / "lenet-001");
  const fs::path out = fs::path(temp.path()) / "mine";
  CHECK(create_run_folder(runs, "lenet", out, "a: 4\n") == out);
  CHECK_THROWS_AS(create_run_folder(runs, "lenet", out, "a: 5\n"), UsageError);
  CHECK(read_text(out / "config.yaml") == "a: 4\n");
  CHECK(std::distance(fs::directory_iterator(runs), fs::directory_iterator()) ==
        2);  // nothing half made is left
}

TEST_CASE("the newest finished run is the one with the newest summary") {
  const TempFolder temp;
  const fs::path runs = fs::path(temp.path()) / "runs";
  CHECK_THROWS_AS(newest_finished_run(runs), UsageError);
  const fs::path a = create_run_folder(runs, "a", "", ""), b = create_run_folder(runs, "b", "", "");
  create_run_folder(runs, "c", "", "");  // has not finished
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
  std::uintmax_t at_checkpoint = 0;
  {
    MetricsLog log(temp.path(), 0);
    log.write({{"epoch", 1}});
    at_checkpoint = log.size_bytes();
    log.write({{"epoch", 2}});
  }
  MetricsLog resumed(temp.path(), at_checkpoint);
  resumed.write({{"epoch", 22}});
  CHECK(read_text(fs::path(temp.path()) / "metrics.jsonl") == "{\"epoch\":1}\n{\"epoch\":22}\n");
}

TEST_CASE("durations read as people write them") {
  CHECK(format_duration(0.4) == "0:00");
  CHECK(format_duration(65) == "1:05");
  CHECK(format_duration(7389) == "2:03:09");
}

}  // namespace octet
