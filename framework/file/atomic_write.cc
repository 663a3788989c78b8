#include "file/atomic_write.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "file/printable.h"

namespace octet {
namespace {

// Large files are written in pieces, so that an interrupt or a fault never concerns all of it.
constexpr std::size_t kPiece = std::size_t{8} << 20;
constexpr std::string_view kMark = ".tmp-";

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

std::string temporary_name(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  return message(path, kMark, ::getpid(), "-", counter++);
}

// Renaming puts a file in the place of whatever has the name: also of a device, /dev/full or
// /dev/stdout say, for all who use it.
void check_replaceable(const std::string& path) {
  std::error_code ignored;
  const auto type = std::filesystem::status(path, ignored).type();
  using Type = std::filesystem::file_type;
  OCTET_CHECK(
      type != Type::character && type != Type::block && type != Type::fifo && type != Type::socket,
      "cannot write \"", printable(path),
      "\": it is a device or a pipe; name a file, which is written as a whole");
}

// The state of one write; removes what it created unless it was completed.
class Writer {
 public:
  Writer(const std::string& path, FileSystem& fs)
      : path_(path), temporary_(temporary_name(path)), fs_(fs) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    if (fd_ >= 0) fs_.close(fd_);
    if (created_) fs_.remove(temporary_);
  }

  void write(std::span<const std::byte> bytes) {
    fd_ = fs_.create(temporary_);
    if (fd_ < 0 && errno == EEXIST && fs_.remove(temporary_) == 0) fd_ = fs_.create(temporary_);
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
    bool kept = false;
    if (!keep_previous_as.empty()) {
      kept = fs_.rename(path_, keep_previous_as) == 0;
      check(kept || errno == ENOENT, "renaming the previous file");
    }
    if (fs_.rename(temporary_, path_) != 0) {
      const int error = errno;
      if (kept) fs_.rename(keep_previous_as, path_);
      errno = error;
      check(false, "renaming the temporary file");
    }
    created_ = false;
    check(fs_.sync_folder(folder_of(path_)) == 0, "fsync of the folder");
  }

 private:
  void check(bool ok, const std::string& doing) const {
    if (ok) return;
    const std::string reason = std::generic_category().message(errno);
    throw Error(
        message("cannot write \"", printable(path_), "\": ", reason, " (while ", doing, ")"));
  }

  const std::string& path_;
  const std::string temporary_;
  FileSystem& fs_;
  int fd_ = -1;
  bool created_ = false;
};

}  // namespace

void atomic_write(const std::string& path, std::span<const std::byte> bytes,
                  const AtomicWriteOptions& options) {
  check_replaceable(path);
  Writer writer(path, options.file_system ? *options.file_system : posix_file_system());
  writer.write(bytes);
  writer.put_in_place(options.keep_previous_as);
}

void atomic_write(const std::string& path, std::string_view text) {
  atomic_write(path, std::as_bytes(std::span(text.data(), text.size())));
}

void remove_stale_temporaries(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const std::size_t mark = name.rfind(kMark);
    const bool ours =
        mark != std::string::npos &&
        name.find_first_not_of("0123456789-", mark + kMark.size()) == std::string::npos;
    if (ours) std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace octet
