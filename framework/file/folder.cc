#include "file/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "file/printable.h"

namespace octet {
namespace {

// Large files are written in pieces, so that an interrupt or a fault never concerns all of it.
constexpr std::size_t kPiece = std::size_t{8} << 20;
constexpr std::string_view kMark = ".tmp-";

std::string reason() { return std::generic_category().message(errno); }

std::string temporary_name(const std::string& name) {
  static std::atomic<unsigned> counter{0};
  return message(name, kMark, ::getpid(), "-", counter++);
}

bool is_temporary(const std::string& name) {
  const std::size_t mark = name.rfind(kMark);
  return mark != std::string::npos &&
         name.find_first_not_of("0123456789-", mark + kMark.size()) == std::string::npos;
}

std::string as_opened(const std::string& path) { return path.empty() ? "." : path; }

// The state of one write; removes what it created unless it was completed.
class Writer {
 public:
  Writer(const Folder& folder, const std::string& name)
      : folder_(folder),
        fs_(folder.file_system()),
        name_(name),
        temporary_(temporary_name(name)),
        shown_(folder.path_of(name)) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    if (fd_ >= 0) fs_.close(fd_);
    if (created_) fs_.remove(folder_.fd(), temporary_);
  }

  // Renaming puts a file in the place of whatever has the name: also of a device, /dev/full or
  // /dev/stdout say, for all who use it.
  void check_replaceable() const {
    struct stat status {};
    if (::fstatat(folder_.fd(), name_.c_str(), &status, 0) != 0) return;
    const mode_t mode = status.st_mode;
    OCTET_CHECK(!S_ISCHR(mode) && !S_ISBLK(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode),
                "cannot write \"", printable(shown_),
                "\": it is a device or a pipe; name a file, which is written as a whole");
  }

  void write(std::span<const std::byte> bytes) {
    const int folder = folder_.fd();
    fd_ = fs_.create(folder, temporary_);
    if (fd_ < 0 && errno == EEXIST && fs_.remove(folder, temporary_) == 0) {
      fd_ = fs_.create(folder, temporary_);
    }
    check(fd_ >= 0, "creating a temporary file");
    created_ = true;
    check(fs_.reserve(fd_, bytes.size()) == 0, message("reserving ", bytes.size(), " bytes"));
    while (!bytes.empty()) {
      const auto done = fs_.write(fd_, bytes.data(), std::min(bytes.size(), kPiece));
      if (done < 0 && errno == EINTR) continue;
      if (done == 0) errno = ENOSPC;
      check(done > 0, "writing");
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    // A failed fsync is not retried: the kernel may have dropped the data and report success.
    check(fs_.sync(fd_) == 0, "fsync");
    const int fd = std::exchange(fd_, -1);
    check(fs_.close(fd) == 0, "closing");
  }

  void put_in_place(const std::string& keep_previous_as) {
    const int folder = folder_.fd();
    bool kept = false;
    if (!keep_previous_as.empty()) {
      kept = fs_.rename(folder, name_, keep_previous_as) == 0;
      check(kept || errno == ENOENT, "renaming the previous file");
    }
    if (fs_.rename(folder, temporary_, name_) != 0) {
      const int error = errno;
      if (kept) fs_.rename(folder, keep_previous_as, name_);
      errno = error;
      check(false, "renaming the temporary file");
    }
    created_ = false;
    check(fs_.sync(folder) == 0, "fsync of the folder");
  }

 private:
  void check(bool ok, const std::string& doing) const {
    if (ok) return;
    const std::string why = reason();
    throw Error(message("cannot write \"", printable(shown_), "\": ", why, " (while ", doing, ")"));
  }

  const Folder& folder_;
  FileSystem& fs_;
  const std::string& name_;
  const std::string temporary_, shown_;
  int fd_ = -1;
  bool created_ = false;
};

}  // namespace

Folder::Folder(std::string path, FileSystem& file_system)
    : path_(std::move(path)), fs_(&file_system), fd_(fs_->open_folder(AT_FDCWD, as_opened(path_))) {
  OCTET_CHECK(fd_ >= 0, "cannot open the folder \"", printable(as_opened(path_)), "\": ", reason());
}

Folder::Folder(const Folder& parent, const std::string& name)
    : path_(parent.path_of(name)), fs_(parent.fs_), fd_(fs_->open_folder(parent.fd_, name)) {
  OCTET_CHECK(fd_ >= 0, "cannot open the folder \"", printable(path_), "\": ", reason());
}

Folder::~Folder() {
  if (fd_ >= 0) fs_->close(fd_);
}

std::string Folder::path_of(const std::string& name) const {
  return (std::filesystem::path(path_) / name).string();
}

bool Folder::in_place() const {
  struct stat here {
  }, there{};
  return ::fstat(fd_, &here) == 0 && ::stat(as_opened(path_).c_str(), &there) == 0 &&
         here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

bool Folder::has(const std::string& name) const {
  struct stat status {};
  return ::fstatat(fd_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

std::vector<std::string> Folder::names() const {
  std::vector<std::string> names;
  const int fd = ::openat(fd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* listing = fd < 0 ? nullptr : ::fdopendir(fd);
  OCTET_CHECK(listing != nullptr, "cannot list the folder \"", printable(path_), "\": ", reason());
  while (const dirent* entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(listing);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::byte> Folder::read(const std::string& name) const {
  return read_file_in(fd_, name, path_of(name));
}

std::string Folder::read_text(const std::string& name, std::uint64_t max_bytes) const {
  return read_text_file_in(fd_, name, path_of(name), max_bytes);
}

void Folder::write(const std::string& name, std::span<const std::byte> bytes,
                   const std::string& keep_previous_as) const {
  Writer writer(*this, name);
  writer.check_replaceable();
  writer.write(bytes);
  writer.put_in_place(keep_previous_as);
}

void Folder::write(const std::string& name, std::string_view text) const {
  write(name, std::as_bytes(std::span(text.data(), text.size())));
}

void Folder::sync() const {
  OCTET_CHECK(fs_->sync(fd_) == 0, "cannot make the folder \"", printable(path_),
              "\" durable: ", reason(), " (while fsync)");
}

void Folder::remove_stale_temporaries() const {
  for (const std::string& name : names()) {
    if (is_temporary(name)) fs_->remove(fd_, name);
  }
}

void create_folders(const std::string& path, FileSystem& file_system) {
  namespace fs = std::filesystem;
  fs::path folder(path);
  if (!folder.has_filename()) folder = folder.parent_path();  // "a/" is "a"
  std::error_code ignored;
  if (folder.empty() || fs::is_directory(folder, ignored)) return;
  const std::string parent = folder.parent_path().string();
  create_folders(parent, file_system);
  const Folder above(parent, file_system);
  if (file_system.make_folder(above.fd(), folder.filename().string()) != 0) {
    const int error = errno;
    // Another program may have been faster.
    OCTET_CHECK(error == EEXIST && fs::is_directory(folder, ignored), "cannot create the folder \"",
                printable(path), "\": ", std::generic_category().message(error));
  }
  above.sync();
}

}  // namespace octet
