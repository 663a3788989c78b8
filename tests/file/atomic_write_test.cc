#include "file/atomic_write.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "base/error.h"
#include "file/folder.h"
#include "file/read_file.h"
#include "tests/file/faulty_file_system.h"
#include "tests/file/temp_folder.h"
#include "tests/text.h"

namespace octet {
namespace {

using testing::bytes_of;

using Fault = FaultyFileSystem::Fault;
using Names = std::vector<std::string>;

// Runs `body` in a child process and returns how that ended.
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

TEST_CASE("atomic_write creates, replaces, and leaves nothing else behind") {
  const TempFolder folder;
  atomic_write(folder / "a", "one");
  CHECK(read_text_file(folder / "a") == "one");
  atomic_write(folder / "a", "");
  CHECK(read_text_file(folder / "a").empty());
  const std::string large(std::size_t{20} << 20, 'x');
  atomic_write(folder / "a", large);
  CHECK(read_text_file(folder / "a") == large);
  CHECK(folder.list() == Names{"a"});
}

TEST_CASE("a folder keeps the previous file under the name asked for") {
  const TempFolder folder;
  const Folder opened(folder.path());
  opened.write("a", bytes_of("one"), "prev");
  CHECK(folder.list() == Names{"a"});
  opened.write("a", bytes_of("two"), "prev");
  opened.write("a", bytes_of("three"), "prev");
  CHECK(read_text_file(folder / "a") == "three");
  CHECK(read_text_file(folder / "prev") == "two");
}

TEST_CASE("atomic_write: whatever call fails, the old file stays and the error says what and why") {
  for (const bool keep : {false, true}) {
    int calls = 1;
    for (int at = 0; at < calls; ++at) {
      CAPTURE(at);
      const TempFolder folder;
      atomic_write(folder / "a", "old");
      const auto write = [&](FileSystem& file_system) {
        if (!keep) return atomic_write(folder / "a", bytes_of("new"), file_system);
        Folder(folder.path(), file_system).write("a", bytes_of("new"), "prev");
      };
      FaultyFileSystem faulty(keep ? at + 1 : at, Fault::kFail);  // 0 opens the folder
      std::string what;
      try {
        write(faulty);
      } catch (const Error& error) {
        what = error.what();
      }
      CHECK(what.find(at == 0 && !keep ? "a\": cannot open the folder \"" : "a\": No space left") !=
            std::string::npos);
      CHECK(what.find("No space left on device") != std::string::npos);
      const bool only_folder_sync_failed = what.find("fsync of the folder") != std::string::npos;
      CHECK(read_text_file(folder / "a") == (only_folder_sync_failed ? "new" : "old"));
      const Names names = folder.list();
      CHECK((names == Names{"a"} || (only_folder_sync_failed && names == Names{"a", "prev"})));
      if (at == 0) {
        FaultyFileSystem count(-1, Fault::kFail);
        write(count);
        calls = keep ? count.calls() - 1 : count.calls();
      }
    }
    CHECK(calls == 8);  // open, create, reserve, write, fsync, close, rename, fsync
  }
}

TEST_CASE("atomic_write: killed before or after any call, the file is the old or the new one") {
  for (const Fault fault : {Fault::kKillBefore, Fault::kKillAfter}) {
    for (int at = 0; at < 8; ++at) {
      CAPTURE(at);
      const TempFolder folder;
      atomic_write(folder / "a", "old");
      const int status = status_of_child([&] {
        FaultyFileSystem faulty(at, fault);
        atomic_write(folder / "a", bytes_of("new"), faulty);
        return 0;
      });
      REQUIRE(WIFSIGNALED(status));
      const std::string content = read_text_file(folder / "a");
      CHECK((content == "old" || content == "new"));
      Folder(folder.path()).remove_stale_temporaries();
      CHECK(folder.list() == Names{"a"});
    }
  }
}

TEST_CASE("atomic_write: the kernel's own refusal of a large file leaves the old one") {
  const TempFolder folder;
  atomic_write(folder / "a", "old");
  const int status = status_of_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      atomic_write(folder / "a", std::string(100000, 'x'));
    } catch (const Error& error) {
      return std::string(error.what()).find("File too large") != std::string::npos ? 1 : 2;
    }
    return 0;
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(read_text_file(folder / "a") == "old");
  CHECK(folder.list() == Names{"a"});
}

// The device on which every write fails with the kernel's real ENOSPC.
TEST_CASE("atomic_write: a full device is reported as such and leaves the old file") {
  struct FullDevice final : FileSystem {
    int create(int folder, const std::string& name) override {
      const int made = FileSystem::create(folder, name);
      if (made >= 0) ::close(made);
      return made < 0 ? made : ::open("/dev/full", O_WRONLY);
    }
    int reserve(int, std::uint64_t) override { return 0; }
  };
  const TempFolder folder;
  atomic_write(folder / "a", "old");
  FullDevice full;
  CHECK_THROWS_WITH_AS(
      atomic_write(folder / "a", bytes_of("new"), full),
      ("cannot write \"" + (folder / "a") + "\": No space left on device (while writing)").c_str(),
      Error);
  CHECK(read_text_file(folder / "a") == "old");
  CHECK(folder.list() == Names{"a"});
}

TEST_CASE("atomic_write: what is no file stays in its place") {
  const TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(atomic_write(pipe, "x"), doctest::Contains("it is a device or a pipe"),
                       Error);
  CHECK(std::filesystem::is_fifo(pipe));
}

TEST_CASE("removing stale temporaries touches nothing else") {
  const TempFolder folder;
  for (const char* name : {"a", "a.tmp-12-3", "a.tmp-notes", "tmp-1-2"}) {
    atomic_write(folder / name, "x");
  }
  Folder(folder.path()).remove_stale_temporaries();
  CHECK(folder.list() == Names{"a", "a.tmp-notes", "tmp-1-2"});
}

TEST_CASE("atomic_write into a folder that is not there names the path and the reason") {
  const TempFolder folder;
  CHECK_THROWS_WITH_AS(atomic_write(folder / "no/a", "x"),
                       ("cannot write \"" + (folder / "no/a") + "\": cannot open the folder \"" +
                        (folder / "no") + "\": No such file or directory")
                           .c_str(),
                       Error);
}

TEST_CASE("a folder writes to what was opened, also after its name means another one") {
  const TempFolder temp;
  create_folders(temp / "a/b");
  const Folder opened(temp / "a/b");
  CHECK(opened.in_place());
  std::filesystem::rename(temp / "a/b", temp / "moved");
  CHECK_FALSE(opened.in_place());
  create_folders(temp / "a/b/");
  CHECK_FALSE(opened.in_place());
  opened.write("f", "x");
  CHECK(read_text_file(temp / "moved/f") == "x");
  CHECK(opened.read_text("f") == "x");
  CHECK(Folder(temp / "a/b").names().empty());
}

TEST_CASE("a folder in an open one is not a symbolic link") {
  const TempFolder temp;
  create_folders(temp / "real");
  std::filesystem::create_directory_symlink("real", temp / "link");
  const Folder parent(temp.path());
  CHECK_NOTHROW(Folder(parent, "real"));
  CHECK_THROWS_AS(Folder(parent, "link"), Error);
}

TEST_CASE("atomic_write: a path that names a folder is refused") {
  const TempFolder folder;
  for (const char* name : {"", ".", "..", "x/"}) {
    CAPTURE(name);
    CHECK_THROWS_WITH_AS(atomic_write(folder / name, "x"), doctest::Contains("it names a folder"),
                         Error);
  }
}

TEST_CASE("read_file: missing, a folder, too large") {
  const TempFolder folder;
  CHECK_THROWS_WITH_AS(
      read_file(folder / "a"),
      ("cannot open \"" + (folder / "a") + "\": No such file or directory").c_str(), Error);
  CHECK_THROWS_WITH_AS(read_file(folder.path()),
                       ("cannot read \"" + folder.path() + "\": it is a folder").c_str(), Error);
  CHECK_THROWS_WITH_AS(read_file("/dev/zero"),
                       "cannot read \"/dev/zero\": it is not a regular file", Error);
  atomic_write(folder / "a", "12345");
  CHECK(read_file(folder / "a", 5).size() == 5);
  CHECK_THROWS_WITH_AS(read_file(folder / "a", 4),
                       ("\"" + (folder / "a") + "\" has 5 bytes; more than the allowed 4").c_str(),
                       Error);
}

}  // namespace octet
