#include "io/checkpoint.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/rng.h"
#include "file/atomic_write.h"
#include "file/read_file.h"
#include "io/weights.h"
#include "tests/file/crash_file_system.h"
#include "tests/file/faulty_file_system.h"
#include "tests/file/temp_folder.h"

namespace octet {
namespace {

using Fault = FaultyFileSystem::Fault;

// A checkpoint whose content depends on `step`.
Checkpoint sample(int step) {
  const auto value = static_cast<float>(step);
  const Tensor codes = Tensor::zeros({3}, DType::kI8);
  return {.groups = {{"model",
                      {{"conv1.weight", Tensor::full({2, 3, 3, 1}, value)},
                       {"conv1.zero_point", codes},
                       {"scale", Tensor::full({}, 0.5f)}}},
                     {"optimizer", {{"conv1.weight", Tensor::full({2, 3, 3, 1}, -value)}}}},
          .state = message("{\"step\": ", step, "}"),
          .config = "run:\n  name: \"x\"\n",
          .dataset_sha256 = "abc"};
}

bool equal(const Checkpoint& a, const Checkpoint& b) {
  if (a.state != b.state || a.config != b.config || a.dataset_sha256 != b.dataset_sha256 ||
      a.groups.size() != b.groups.size()) {
    return false;
  }
  for (const auto& [name, group] : a.groups) {
    const auto other = b.groups.find(name);
    if (other == b.groups.end() || weights_sha256(group) != weights_sha256(other->second)) {
      return false;
    }
  }
  return true;
}

std::vector<std::byte> bytes_of_checkpoint(int step) {
  const TempFolder folder;
  save_checkpoint(RunLock(folder.path()), sample(step));
  return read_file(folder / kCheckpointName);
}

std::string read_error_of(const std::string& path) {
  try {
    read_checkpoint(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

template <class Body>
int status_of_child(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = body();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("checkpoint: what is loaded is what was saved, the same content gives the same bytes") {
  const TempFolder folder;
  const RunLock lock(folder.path());
  CHECK_FALSE(load_checkpoint(folder.path()).has_value());
  CHECK_FALSE(resume_checkpoint(lock).has_value());
  save_checkpoint(lock, sample(1));
  const auto loaded = load_checkpoint(folder.path());
  REQUIRE(loaded.has_value());
  CHECK(equal(loaded->checkpoint, sample(1)));
  CHECK(loaded->path == folder / kCheckpointName);
  CHECK(loaded->warning.empty());
  CHECK_FALSE(equal(loaded->checkpoint, sample(2)));
  CHECK(read_file(folder / kCheckpointName) == bytes_of_checkpoint(1));
}

TEST_CASE("checkpoint: keep says whether the previous one stays") {
  for (const int keep : {1, 2}) {
    const TempFolder folder;
    const RunLock lock(folder.path());
    for (int step = 1; step <= 3; ++step) save_checkpoint(lock, sample(step), keep);
    CHECK(equal(read_checkpoint(folder / kCheckpointName), sample(3)));
    CHECK(std::filesystem::exists(folder / kPreviousCheckpointName) == (keep == 2));
    if (keep == 2) CHECK(equal(read_checkpoint(folder / kPreviousCheckpointName), sample(2)));
  }
}

TEST_CASE("checkpoint: names that the format cannot hold are refused") {
  const TempFolder folder;
  const RunLock lock(folder.path());
  Checkpoint bad = sample(1);
  bad.groups["model"].push_back({"a/b", Tensor::zeros({1})});
  CHECK_THROWS_WITH_AS(save_checkpoint(lock, bad),
                       "tensor \"a/b\": '/' separates groups and cannot be part of a name", Error);
  bad = sample(1);
  bad.groups["model"].push_back({"scale", Tensor::zeros({1})});
  CHECK_THROWS_WITH_AS(save_checkpoint(lock, bad), "two tensors are named \"scale\"", Error);
  CHECK(folder.list().empty());
}

TEST_CASE("checkpoint: one flipped bit anywhere, or a cut anywhere, is found") {
  const TempFolder folder;
  const std::vector<std::byte> whole = bytes_of_checkpoint(1);
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::vector<std::byte> bytes = whole;
    bytes[at] ^= std::byte(1u << (at % 8));
    atomic_write(folder / "c", bytes);
    const std::string error = read_error_of(folder / "c");
    if (error.empty()) {
      CAPTURE(at);
      CHECK(equal(read_checkpoint(folder / "c"), sample(1)));  // a space that became a tab
      ++accepted;
    }
  }
  CHECK(accepted <= 8);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    CAPTURE(size);
    atomic_write(folder / "c", std::span(whole).first(size));
    CHECK(read_error_of(folder / "c").rfind("\"" + (folder / "c") + "\"", 0) == 0);
  }
}

TEST_CASE("checkpoint: other files and other versions are named as such") {
  const TempFolder folder;
  const std::string name = message("\"", folder / "c", "\"");
  write_safetensors(folder / "c", {}, {});
  CHECK(read_error_of(folder / "c") == name + " is not a checkpoint");
  write_safetensors(folder / "c", {{"octet.format", "checkpoint"}, {"octet.version", "2"}}, {});
  CHECK(read_error_of(folder / "c") ==
        name + " has checkpoint version 2; this program reads version 1");
  write_safetensors(folder / "c", {{"octet.format", "checkpoint"}, {"octet.version", "1"}}, {});
  CHECK(read_error_of(folder / "c") == name + " has no metadata \"octet.sha256\"");
}

TEST_CASE("checkpoint: with a damaged one the previous is taken, and the warning says why") {
  const TempFolder folder;
  const RunLock lock(folder.path());
  save_checkpoint(lock, sample(1));
  save_checkpoint(lock, sample(2));
  std::vector<std::byte> bytes = read_file(folder / kCheckpointName);
  bytes.back() ^= std::byte{1};
  atomic_write(folder / kCheckpointName, bytes);

  const auto loaded = load_checkpoint(folder.path());
  REQUIRE(loaded.has_value());
  CHECK(equal(loaded->checkpoint, sample(1)));
  CHECK(loaded->path == folder / kPreviousCheckpointName);
  CHECK(loaded->warning == "\"" + (folder / kCheckpointName) +
                               "\" is damaged: its content does not have the SHA-256 that it "
                               "names; going back to \"" +
                               (folder / kPreviousCheckpointName) + "\"");
  CHECK(folder.list() == std::vector<std::string>{kPreviousCheckpointName, kCheckpointName});

  // Going on: the damaged file must not take the place of the good one at the next save.
  CHECK(equal(resume_checkpoint(lock)->checkpoint, sample(1)));
  CHECK(folder.list() == std::vector<std::string>{kBrokenCheckpointName, kPreviousCheckpointName});
  save_checkpoint(lock, sample(3));
  CHECK(equal(load_checkpoint(folder.path())->checkpoint, sample(3)));
  CHECK(equal(read_checkpoint(folder / kPreviousCheckpointName), sample(1)));

  atomic_write(folder / kCheckpointName, "x");
  atomic_write(folder / kPreviousCheckpointName, "y");
  CHECK_THROWS_WITH_AS(
      load_checkpoint(folder.path()),
      ("no valid checkpoint: \"" + (folder / kCheckpointName) +
       "\": not a safetensors file: it has 1 bytes; \"" + (folder / kPreviousCheckpointName) +
       "\": not a safetensors file: it has 1 bytes")
          .c_str(),
      Error);
  std::filesystem::remove(folder / kPreviousCheckpointName);
  CHECK_THROWS_WITH_AS(load_checkpoint(folder.path()),
                       ("\"" + (folder / kCheckpointName) +
                        "\": not a safetensors file: it has 1 bytes; there is no previous "
                        "checkpoint")
                           .c_str(),
                       Error);
}

TEST_CASE("checkpoint: killed before or after any call of a save, one of the two is loaded") {
  for (const int keep : {1, 2}) {
    for (const Fault fault : {Fault::kKillBefore, Fault::kKillAfter}) {
      for (int at = 1; at < (keep == 2 ? 9 : 8); ++at) {  // 0 opens the folder
        CAPTURE(keep);
        CAPTURE(at);
        const TempFolder folder;
        save_checkpoint(RunLock(folder.path()), sample(1), keep);
        const int status = status_of_child([&] {
          FaultyFileSystem faulty(at, fault);
          save_checkpoint(RunLock(folder.path(), faulty), sample(2), keep);
          return 0;
        });
        REQUIRE(WIFSIGNALED(status));
        const RunLock lock(folder.path());  // the dead process's lock is gone
        const auto loaded = resume_checkpoint(lock);
        REQUIRE(loaded.has_value());
        const bool is_new = equal(loaded->checkpoint, sample(2));
        CHECK((is_new || equal(loaded->checkpoint, sample(1))));
        for (const std::string& name : folder.list()) {
          CHECK(name.find(".tmp-") == std::string::npos);
        }
        save_checkpoint(lock, sample(3), keep);
        CHECK(equal(load_checkpoint(folder.path())->checkpoint, sample(3)));
      }
    }
  }
}

TEST_CASE("checkpoint: whatever call of a save fails, the old one is loaded without a warning") {
  for (const int keep : {1, 2}) {
    int failures = 0;
    for (int at = 0; at < 8; ++at) {
      CAPTURE(at);
      const TempFolder folder;
      save_checkpoint(RunLock(folder.path()), sample(1), keep);
      FaultyFileSystem faulty(at + 1, Fault::kFail);  // 0 opens the folder
      const RunLock lock(folder.path(), faulty);
      bool failed = false;
      std::string error;
      try {
        save_checkpoint(lock, sample(2), keep);
      } catch (const Error& caught) {
        error = caught.what();
        failed = true;
        ++failures;
      }
      const auto loaded = load_checkpoint(folder.path());
      REQUIRE(loaded.has_value());
      CHECK(loaded->warning.empty());
      const bool in_place = !failed || error.find("fsync of the folder") != std::string::npos;
      CHECK(equal(loaded->checkpoint, sample(in_place ? 2 : 1)));
      if (failed) CHECK(error.find("No space left on device") != std::string::npos);
    }
    CHECK(failures == (keep == 2 ? 8 : 7));
  }
}

TEST_CASE("checkpoint: after a power cut at any change, whatever subset of them the disk has") {
  int states = 0;
  for (const int keep : {1, 2}) {
    const TempFolder working;
    CrashFileSystem crash(working.path());
    create_folders(working / "run", crash);
    std::vector<int> saved;  // changes up to which step i + 1 was saved
    {
      const RunLock lock(working / "run", crash);
      for (int step = 1; step <= 3; ++step) {
        save_checkpoint(lock, sample(step), keep);
        saved.push_back(crash.changes());
      }
    }
    for (int at = saved[0]; at <= saved[2]; ++at) {
      const int at_least = at == saved[2] ? 3 : at >= saved[1] ? 2 : 1;
      for (const DiskState& state : crash.after_cut(at)) {
        CAPTURE(keep);
        CAPTURE(at);
        const TempFolder disk;
        write_state(state, disk.path());
        const auto loaded = resume_checkpoint(RunLock(disk / "run"));
        REQUIRE(loaded.has_value());
        const bool is_next = equal(loaded->checkpoint, sample(at_least + 1));
        CHECK((is_next || equal(loaded->checkpoint, sample(at_least))));
        ++states;
      }
    }
  }
  CHECK(states > 60);
}

TEST_CASE("checkpoint: the kernel's refusal of a large file leaves the old one") {
  const TempFolder folder;
  save_checkpoint(RunLock(folder.path()), sample(1));
  const int status = status_of_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {512, 512};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      save_checkpoint(RunLock(folder.path()), sample(2));
    } catch (const Error& error) {
      return std::string(error.what()).find("File too large") != std::string::npos ? 1 : 2;
    }
    return 0;
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(folder.list() == std::vector<std::string>{kCheckpointName});
  CHECK(equal(load_checkpoint(folder.path())->checkpoint, sample(1)));
}

TEST_CASE("run lock: writes go to the locked folder, and one that was moved is noticed") {
  const TempFolder temp;
  create_folders(temp / "run");
  const RunLock lock(temp / "run");
  lock.write("a", "1");
  std::filesystem::rename(temp / "run", temp / "moved");
  create_folders(temp / "run");  // somebody else's
  CHECK_THROWS_WITH_AS(
      save_checkpoint(lock, sample(1)),
      doctest::Contains(("the run folder \"" + (temp / "run") + "\" was moved").c_str()), Error);
  CHECK(std::filesystem::is_empty(temp / "run"));
  CHECK(equal(load_checkpoint(temp / "moved")->checkpoint, sample(1)));
}

TEST_CASE("run lock: one writer, it goes with its owner and removes stale temporaries") {
  const TempFolder folder;
  atomic_write(folder / "checkpoint.safetensors.tmp-1-0", "x");
  {
    const RunLock lock(folder.path());
    CHECK(folder.list().empty());
    CHECK_THROWS_WITH_AS(
        RunLock(folder.path()),
        ("cannot lock the run folder \"" + folder.path() + "\": another process is writing there")
            .c_str(),
        Error);
  }
  CHECK_NOTHROW(RunLock(folder.path()));
  CHECK_THROWS_WITH_AS(
      RunLock(folder / "none"),
      ("cannot open the folder \"" + (folder / "none") + "\": No such file or directory").c_str(),
      Error);
}

}  // namespace octet
