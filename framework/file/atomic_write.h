#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "file/file_system.h"

namespace octet {

struct AtomicWriteOptions {
  std::string keep_previous_as = {};  // where an existing file moves to; empty: it is replaced
  FileSystem* file_system = nullptr;  // null: the real one
};

// Writes a file so that, whatever happens (full disk, kill, power cut), `path` holds the old
// content or the new one, complete: temporary file "<path>.tmp-<pid>-<n>" in the same folder, space
// reserved, written, fsync, rename, fsync of the folder. With `keep_previous_as` there is an
// instant at which only the previous file exists, under that name. Throws Error with path and
// reason; the temporary is removed and the old file is untouched (unless only the last fsync
// failed: then the new file is in place, but may not survive a power cut).
void atomic_write(const std::string& path, std::span<const std::byte> bytes,
                  const AtomicWriteOptions& options = {});
void atomic_write(const std::string& path, std::string_view text);

// Removes the temporaries that killed processes have left in `folder`. The caller must be the only
// writer there.
void remove_stale_temporaries(const std::string& folder);

}  // namespace octet
