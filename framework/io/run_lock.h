#pragma once

#include <string>

namespace octet {

// Makes this process the only writer of a run folder, as long as the object lives; the kernel frees
// the lock of a killed process. Locks the folder itself (flock), so no file is left behind. Taking
// it removes the temporary files that killed processes have left.
class RunLock {
 public:
  // Throws Error if another process (or another RunLock) holds it, or the folder is not there.
  explicit RunLock(std::string folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  int fd_ = -1;
};

}  // namespace octet
