#include "base/processors.h"

#include <doctest/doctest.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace octet {
namespace {

constexpr int kNoLimit = 1 << 20;  // more than any quota here

// A file system of a test: what /proc and /sys would say.
class Files {
 public:
  Files() : root_(std::filesystem::temp_directory_path() / ("cgroups" + std::to_string(getpid()))) {
    std::filesystem::create_directories(root_);
  }
  ~Files() { std::filesystem::remove_all(root_); }

  Files& write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ / path.substr(1);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
    return *this;
  }
  int quota() const { return processors_of_quota(root_.string()); }

 private:
  std::filesystem::path root_;
};

const char* const kV2 = "26 25 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const char* const kV1 =
    "30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n";

}  // namespace

TEST_CASE("processors: cgroup v2, the tightest quota on the way up, rounded up") {
  Files files;
  files.write("/proc/self/cgroup", "0::/system.slice/octet.service\n")
      .write("/proc/self/mountinfo", kV2)
      .write("/sys/fs/cgroup/system.slice/octet.service/cpu.max", "max 100000\n");
  CHECK(files.quota() > kNoLimit);
  files.write("/sys/fs/cgroup/system.slice/cpu.max", "250000 100000\n");
  CHECK(files.quota() == 3);
  files.write("/sys/fs/cgroup/system.slice/octet.service/cpu.max", "50000 100000\n");
  CHECK(files.quota() == 1);
  files.write("/sys/fs/cgroup/system.slice/octet.service/cpu.max", "400000 100000\n");
  CHECK(files.quota() == 3);
}

TEST_CASE("processors: cgroup v2 in a container of its own namespace, and below a mounted part") {
  Files files;
  files.write("/proc/self/cgroup", "0::/\n")
      .write("/proc/self/mountinfo", kV2)
      .write("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  CHECK(files.quota() == 2);
  files.write("/proc/self/cgroup", "0::/docker/a1/inner\n")
      .write("/proc/self/mountinfo",
             "26 25 0:23 /docker/a1 /sys/fs/my\\040group rw - cgroup2 cgroup2 rw\n")
      .write("/sys/fs/my group/cpu.max", "400000 100000\n")
      .write("/sys/fs/my group/inner/cpu.max", "500000 100000\n");
  CHECK(files.quota() == 4);
}

TEST_CASE("processors: cgroup v1 has two files, and -1 for no quota") {
  Files files;
  files.write("/proc/self/cgroup", "5:memory:/box\n3:cpu,cpuacct:/box\n0::/\n")
      .write("/proc/self/mountinfo", kV1)
      .write("/sys/fs/cgroup/memory/box/cpu.cfs_quota_us", "1000\n")  // not its controller
      .write("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n")
      .write("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
  CHECK(files.quota() > kNoLimit);
  files.write("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "150000\n");
  CHECK(files.quota() == 2);
}

TEST_CASE("processors: files that are not there, or say nothing, are no quota") {
  Files files;
  CHECK(files.quota() > kNoLimit);
  files.write("/proc/self/cgroup", "what\n::\n0::\n0::/a\n1:cpu\n")
      .write("/proc/self/mountinfo", "26 25\n - - - - - - - cgroup2\n" + std::string(kV2))
      .write("/sys/fs/cgroup/a/cpu.max", "")
      .write("/sys/fs/cgroup/cpu.max", "-5 0\n");
  CHECK(files.quota() > kNoLimit);
  files.write("/sys/fs/cgroup/a/cpu.max", "99999999999999999999 1\n");
  CHECK(files.quota() > kNoLimit);
}

TEST_CASE("processors: a pinned thread does not change what the process may use") {
  const int all = available_processors();
  CHECK(all >= 1);
  CHECK(all <= static_cast<int>(std::thread::hardware_concurrency()));
  int pinned = 0;
  std::thread([&] {
    cpu_set_t before, one;
    sched_getaffinity(0, sizeof(before), &before);
    CPU_ZERO(&one);
    for (std::size_t cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    }
    sched_setaffinity(0, sizeof(one), &one);
    pinned = available_processors();
  }).join();
  CHECK(pinned == all);
}

}  // namespace octet
