#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "file/file_system.h"

namespace octet {

// What a disk may hold after a power cut: files by their path below the root.
using DiskState = std::map<std::string, std::vector<std::byte>>;

// The real file system, which remembers every change, so that a test can ask afterwards: had the
// power gone out after change number `at`, what could the disk hold? Only data that was fsynced (of
// a file that was not: nothing, half or all of it), and any subset of the names that no fsync of
// their folder has confirmed. (After LevelDB's fault_injection_test and SQLite's crash tests.)
class CrashFileSystem final : public FileSystem {
 public:
  // `root`: an empty folder; whatever is opened must lie below it.
  explicit CrashFileSystem(std::string root) : root_(std::move(root)) {
    nodes_.push_back({.is_folder = true});
    folders_[inode_of(AT_FDCWD, root_)] = 0;
  }

  int changes() const { return static_cast<int>(log_.size()); }

  // All states after a cut that followed `at` changes, 0 <= at <= changes().
  std::vector<DiskState> after_cut(int at) const {
    std::vector<Node> nodes = nodes_;
    for (Node& node : nodes) node = {.is_folder = node.is_folder};
    std::vector<const Change*> pending;  // of names
    for (int i = 0; i < at; ++i) replay(log_[static_cast<std::size_t>(i)], nodes, pending);
    if (pending.size() > 8) throw Error("too many names without an fsync to try all subsets");
    std::vector<DiskState> states;
    for (unsigned subset = 0; subset < 1u << pending.size(); ++subset) {
      std::vector<Node> disk = nodes;
      for (std::size_t i = 0; i < pending.size(); ++i) {
        if ((subset >> i & 1u) != 0) apply(*pending[i], disk);
      }
      for (const int part : {0, 1, 2}) {  // halves of what was not fsynced
        DiskState state;
        collect(disk, 0, "", part, state);
        if (std::find(states.begin(), states.end(), state) == states.end()) states.push_back(state);
      }
    }
    return states;
  }

  int open_folder(int parent, const std::string& name) override {
    const int fd = FileSystem::open_folder(parent, name);
    if (fd < 0) return fd;
    const auto found = folders_.find(inode_of(fd, "."));
    if (found == folders_.end())
      throw Error("a folder that this file system has not made: " + name);
    open_[fd] = found->second;
    return fd;
  }
  int make_folder(int parent, const std::string& name) override {
    const int result = FileSystem::make_folder(parent, name);
    if (result == 0) {
      const std::size_t node = add_node({.is_folder = true});
      folders_[inode_of(parent, name)] = node;
      record({.kind = Change::kLink, .folder = open_.at(parent), .name = name, .node = node});
    }
    return result;
  }
  int create(int folder, const std::string& name) override {
    const int fd = FileSystem::create(folder, name);
    if (fd < 0) return fd;
    const std::size_t node = open_[fd] = add_node({});
    record({.kind = Change::kLink, .folder = open_.at(folder), .name = name, .node = node});
    return fd;
  }
  int append_to(int folder, const std::string& name) override {
    const int fd = FileSystem::append_to(folder, name);
    if (fd >= 0) open_[fd] = nodes_[open_.at(folder)].names.at(name);
    return fd;
  }
  std::ptrdiff_t write(int fd, const std::byte* data, std::size_t size) override {
    const auto done = FileSystem::write(fd, data, size);
    if (done > 0) {
      record({.kind = Change::kWrite, .node = open_.at(fd), .bytes = {data, data + done}});
    }
    return done;
  }
  int sync(int fd) override {
    record({.kind = Change::kSync, .node = open_.at(fd)});
    return FileSystem::sync(fd);
  }
  int close(int fd) override {
    open_.erase(fd);
    return FileSystem::close(fd);
  }
  int rename(int folder, const std::string& from, const std::string& to) override {
    return renamed(FileSystem::rename(folder, from, to), folder, from, to);
  }
  int rename_new(int folder, const std::string& from, const std::string& to) override {
    return renamed(FileSystem::rename_new(folder, from, to), folder, from, to);
  }
  int remove(int folder, const std::string& name) override {
    const int result = FileSystem::remove(folder, name);
    if (result == 0) {
      record({.kind = Change::kUnlink, .folder = open_.at(folder), .name = name});
    }
    return result;
  }
  int remove_folder(int parent, const std::string& name) override {
    const int result = FileSystem::remove_folder(parent, name);
    if (result == 0) {
      record({.kind = Change::kUnlink, .folder = open_.at(parent), .name = name});
    }
    return result;
  }

 private:
  struct Node {
    bool is_folder = false;
    std::map<std::string, std::size_t> names = {};  // of a folder
    std::vector<std::byte> content = {};            // of a file
    std::size_t durable_bytes = 0;
  };
  struct Change {
    enum Kind { kLink, kUnlink, kRename, kWrite, kSync } kind;
    std::size_t folder = 0;
    std::string name = {}, to = {};
    std::size_t node = 0;
    std::vector<std::byte> bytes = {};
  };

  static ino_t inode_of(int folder, const std::string& name) {
    struct stat status {};
    if (::fstatat(folder, name.c_str(), &status, 0) != 0) throw Error("no such folder: " + name);
    return status.st_ino;
  }
  std::size_t add_node(Node node) {
    nodes_.push_back(std::move(node));
    return nodes_.size() - 1;
  }
  // nodes_ keeps the names as the running process sees them.
  void record(Change change) {
    if (change.kind < Change::kWrite) apply(change, nodes_);
    log_.push_back(std::move(change));
  }
  int renamed(int result, int folder, const std::string& from, const std::string& to) {
    if (result == 0) {
      record({.kind = Change::kRename, .folder = open_.at(folder), .name = from, .to = to});
    }
    return result;
  }

  // A change of names. One that lacks what it builds on (its creation is not on the disk) is void.
  static void apply(const Change& change, std::vector<Node>& nodes) {
    auto& names = nodes[change.folder].names;
    if (change.kind == Change::kLink) {
      names[change.name] = change.node;
    } else if (const auto found = names.find(change.name); found != names.end()) {
      if (change.kind == Change::kRename) names[change.to] = found->second;
      names.erase(found);
    }
  }
  // `nodes`: names that are durable, and data with the mark up to which it is.
  static void replay(const Change& change, std::vector<Node>& nodes,
                     std::vector<const Change*>& pending) {
    Node& node = nodes[change.node];
    if (change.kind == Change::kWrite) {
      node.content.insert(node.content.end(), change.bytes.begin(), change.bytes.end());
    } else if (change.kind != Change::kSync) {
      pending.push_back(&change);
    } else if (!node.is_folder) {
      node.durable_bytes = node.content.size();
    } else {
      const auto here = [&](const Change* c) { return c->folder == change.node; };
      for (const Change* c : pending) {
        if (here(c)) apply(*c, nodes);
      }
      pending.erase(std::remove_if(pending.begin(), pending.end(), here), pending.end());
    }
  }
  static void collect(const std::vector<Node>& nodes, std::size_t folder, const std::string& path,
                      int part, DiskState& state) {
    for (const auto& [name, index] : nodes[folder].names) {
      const Node& node = nodes[index];
      if (node.is_folder) {
        collect(nodes, index, path + name + "/", part, state);
        if (node.names.empty()) state[path + name + "/"] = {};
        continue;
      }
      const std::size_t lost = (node.content.size() - node.durable_bytes) * (2 - part) / 2;
      state[path + name] = {node.content.begin(), node.content.end() - std::ptrdiff_t(lost)};
    }
  }

  std::string root_;
  std::vector<Node> nodes_;               // 0 is the root
  std::map<ino_t, std::size_t> folders_;  // none of them is ever removed and its number used again
  std::map<int, std::size_t> open_;       // descriptors
  std::vector<Change> log_;
};

// Puts a state onto the real disk, below `root`.
inline void write_state(const DiskState& state, const std::string& root) {
  for (const auto& [path, content] : state) {
    const std::filesystem::path full = std::filesystem::path(root) / path;
    std::filesystem::create_directories(full.parent_path());
    if (path.back() == '/') {
      std::filesystem::create_directories(full);
      continue;
    }
    const int fd = ::open(full.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    posix_file_system().write(fd, content.data(), content.size());
    ::close(fd);
  }
}

}  // namespace octet
