#pragma once

#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "file/atomic_write.h"
#include "file/file_system.h"

namespace octet {

// A file system in memory that loses its power at call number `at`: from then on every call fails.
// `survive` then writes to a real folder what a disk may hold: only data that was fsynced, and any
// subset of the renames and creations that no fsync of the folder has confirmed. (After LevelDB's
// fault_injection_test and SQLite's crash tests.)
class CrashFileSystem final : public FileSystem {
 public:
  explicit CrashFileSystem(int at) : at_(at) {}

  // A file that is on the disk already.
  void put(const std::string& path, std::vector<std::byte> content) {
    auto file = std::make_shared<File>();
    file->content = file->durable = std::move(content);
    visible_[path] = durable_[path] = file;
  }

  int calls() const { return calls_; }
  std::size_t unconfirmed() const { return pending_.size(); }

  // `subset`: bit i says whether unconfirmed change i reached the disk. `torn`: of data that was
  // not fsynced, the first half reached the disk rather than nothing.
  void survive(const std::string& folder, unsigned subset, bool torn) const {
    Names disk = durable_;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      if ((subset >> i & 1u) != 0) apply(pending_[i], disk);
    }
    for (const auto& [path, file] : disk) {
      std::vector<std::byte> content = file->durable;
      if (torn && file->content.size() > content.size()) {
        content.assign(file->content.begin(),
                       file->content.begin() + std::ptrdiff_t(file->content.size() / 2));
      }
      atomic_write(folder + "/" + std::filesystem::path(path).filename().string(), content);
    }
  }

  int create(const std::string& path) override {
    if (!alive()) return -1;
    auto file = std::make_shared<File>();
    change({path, "", file});
    open_.push_back(file);
    return static_cast<int>(open_.size()) - 1;
  }
  int reserve(int, std::uint64_t) override { return alive() ? 0 : -1; }
  std::ptrdiff_t write(int fd, const std::byte* data, std::size_t size) override {
    if (!alive()) return -1;
    std::vector<std::byte>& content = open_[static_cast<std::size_t>(fd)]->content;
    content.insert(content.end(), data, data + size);
    return static_cast<std::ptrdiff_t>(size);
  }
  int sync(int fd) override {
    if (!alive()) return -1;
    File& file = *open_[static_cast<std::size_t>(fd)];
    file.durable = file.content;
    return 0;
  }
  int close(int) override { return alive() ? 0 : -1; }
  int rename(const std::string& from, const std::string& to) override {
    if (!alive()) return -1;
    const auto found = visible_.find(from);
    if (found == visible_.end()) {
      errno = ENOENT;
      return -1;
    }
    change({to, from, found->second});
    return 0;
  }
  int remove(const std::string&) override { return alive() ? 0 : -1; }
  int sync_folder(const std::string&) override {
    if (!alive()) return -1;
    durable_ = visible_;
    pending_.clear();
    return 0;
  }

 private:
  struct File {
    std::vector<std::byte> content, durable;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;
  struct Change {
    std::string to, from;  // from is empty for a creation
    std::shared_ptr<File> file;
  };

  static void apply(const Change& change, Names& names) {
    if (!change.from.empty()) names.erase(change.from);
    names[change.to] = change.file;
  }
  void change(const Change& change) {
    apply(change, visible_);
    pending_.push_back(change);
  }
  bool alive() {
    if (calls_++ < at_ || at_ < 0) return true;
    errno = EIO;
    return false;
  }

  int at_, calls_ = 0;
  Names visible_, durable_;
  std::vector<Change> pending_;
  std::vector<std::shared_ptr<File>> open_;
};

}  // namespace octet
