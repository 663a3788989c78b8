#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "file/file_system.h"

namespace octet {

// Writes a file so that, whatever happens (full disk, kill, power cut), `path` holds the old
// content or the new one, complete: temporary file "<path>.tmp-<pid>-<n>" in the same folder, space
// reserved, written, fsync, rename, fsync of the folder. Throws Error with path and reason; the
// temporary is removed and the old file is untouched (unless only the last fsync failed: then the
// new file is in place, but may not survive a power cut). Several files of one folder, or one that
// shall keep its predecessor: Folder::write.
void atomic_write(const std::string& path, std::span<const std::byte> bytes,
                  FileSystem& file_system = posix_file_system());
void atomic_write(const std::string& path, std::string_view text);

}  // namespace octet
