#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "file/folder.h"

namespace octet {

// Makes this process the only writer of a run folder, as long as the object lives; the kernel frees
// the lock of a killed process. Locks the folder itself (flock), so no file is left behind, and
// writes by the descriptor that holds the lock: into that folder and no other. Taking the lock
// removes the temporary files that killed processes have left. Movable.
class RunLock {
 public:
  // Throws Error if another process (or another RunLock) holds it, or the folder is not there.
  explicit RunLock(std::string path, FileSystem& file_system = posix_file_system());
  explicit RunLock(Folder folder);

  const std::string& folder() const { return folder_.path(); }
  const Folder& files() const { return folder_; }

  // Folder::write, then check_in_place.
  void write(const std::string& name, std::span<const std::byte> bytes,
             const std::string& keep_previous_as = {}) const;
  void write(const std::string& name, std::string_view text) const;

  // Throws Error if the folder's path leads elsewhere by now: somebody has moved, replaced or
  // removed it. What was written lies in the folder that is locked.
  void check_in_place() const;

  // After this process has renamed the folder.
  void set_path(std::string path) { folder_.set_path(std::move(path)); }

 private:
  Folder folder_;
};

}  // namespace octet
