#include "base/processors.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string_view>
#include <vector>

#include "base/classic_locale.h"

namespace octet {
namespace {

constexpr int kNoLimit = std::numeric_limits<int>::max();

// As long as this kernel wants.
using Affinity = std::vector<unsigned long>;

Affinity affinity_of(pid_t thread) {
  constexpr std::size_t kMost = 1 << 14;  // words: a million processors
  for (std::size_t words = 1024 / (8 * sizeof(unsigned long)); words <= kMost; words *= 2) {
    Affinity bits(words);
    auto* set = reinterpret_cast<cpu_set_t*>(bits.data());
    if (sched_getaffinity(thread, words * sizeof(unsigned long), set) == 0) return bits;
  }
  return {};
}

// A process has no affinity, only its threads do. It is taken as what the first thread may use, or
// could use when this library was loaded: that thread may have pinned itself since.
const Affinity g_at_start = affinity_of(0);

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  Classic<std::ifstream> file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The integer at the beginning; -1 where there is none, as in "max".
std::int64_t integer_of(std::string_view text) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end != text.data() ? value : -1;
}

std::int64_t integer_in(const std::string& path) {
  const std::vector<std::string> lines = lines_of(path);
  return lines.empty() ? -1 : integer_of(lines[0]);
}

int rounded_up(std::int64_t quota, std::int64_t period) {
  if (quota <= 0 || period <= 0) return kNoLimit;
  return static_cast<int>(std::clamp<std::int64_t>((quota - 1) / period + 1, 1, kNoLimit));
}

// What one group's files say.
int quota_of_group(const std::string& folder, bool v2) {
  if (!v2) {
    return rounded_up(integer_in(folder + "/cpu.cfs_quota_us"),
                      integer_in(folder + "/cpu.cfs_period_us"));
  }
  const std::vector<std::string> lines = lines_of(folder + "/cpu.max");
  if (lines.empty()) return kNoLimit;
  const std::vector<std::string_view> words = split(lines[0], ' ');
  return words.size() < 2 ? kNoLimit : rounded_up(integer_of(words[0]), integer_of(words[1]));
}

// mountinfo writes a space in a path as \040.
std::string unescaped(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      path += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                (text[i + 3] - '0'));
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

// Of the group, and of all above it up to where its file system is mounted.
int quota_up_from(std::string_view group, const std::string& mount_root, const std::string& mount,
                  bool v2) {
  if (mount_root != "/") {  // a part of the file system is mounted, as in a container
    const bool below = group.substr(0, mount_root.size()) == mount_root;
    group.remove_prefix(below ? mount_root.size() : group.size());
  }
  std::string below(group == "/" ? "" : group);
  int least = quota_of_group(mount + below, v2);
  while (!below.empty()) {
    below.resize(std::min(below.size() - 1, below.rfind('/')));
    least = std::min(least, quota_of_group(mount + below, v2));
  }
  return least;
}

}  // namespace

int processors_of_quota(const std::string& root) {
  int least = kNoLimit;
  const std::vector<std::string> mounts = lines_of(root + "/proc/self/mountinfo");
  for (const std::string& line : lines_of(root + "/proc/self/cgroup")) {
    // hierarchy:controllers:path, of v2 "0::path"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view text = line, group = text.substr(second + 1);
    const std::string_view controllers = text.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && !contains(split(controllers, ','), "cpu")) continue;
    for (const std::string& mount : mounts) {
      // ... root mount-point options [fields] - type source options
      const std::vector<std::string_view> words = split(mount, ' ');
      const auto dash = std::find(words.begin(), words.end(), "-");
      if (words.size() < 5 || words.end() - dash < 4) continue;
      const bool is_it =
          v2 ? dash[1] == "cgroup2" : dash[1] == "cgroup" && contains(split(dash[3], ','), "cpu");
      if (!is_it) continue;
      least = std::min(least,
                       quota_up_from(group, unescaped(words[3]), root + unescaped(words[4]), v2));
    }
  }
  return least;
}

int available_processors() {
  int processors = 0;
  for (const unsigned long word : affinity_of_process()) processors += __builtin_popcountl(word);
  return std::clamp(processors, 1, processors_of_quota(""));
}

std::vector<unsigned long> affinity_of_process() {
  Affinity bits = affinity_of(getpid());
  bits.resize(std::max(bits.size(), g_at_start.size()));
  for (std::size_t i = 0; i < g_at_start.size(); ++i) bits[i] |= g_at_start[i];
  return bits;
}

void run_on(const std::vector<unsigned long>& processors) noexcept {
  sched_setaffinity(0, processors.size() * sizeof(unsigned long),
                    reinterpret_cast<const cpu_set_t*>(processors.data()));
}

}  // namespace octet
