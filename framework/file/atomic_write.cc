#include "file/atomic_write.h"

#include <filesystem>

#include "base/error.h"
#include "file/folder.h"
#include "file/printable.h"

namespace octet {
namespace fs = std::filesystem;

void atomic_write(const std::string& path, std::span<const std::byte> bytes,
                  FileSystem& file_system) {
  const std::string name = fs::path(path).filename().string();
  OCTET_CHECK(!name.empty() && name != "." && name != "..", "cannot write \"", printable(path),
              "\": it names a folder");
  const Folder folder = [&] {
    try {
      return Folder(fs::path(path).parent_path().string(), file_system);
    } catch (const Error& error) {
      throw Error(message("cannot write \"", printable(path), "\": ", error.what()));
    }
  }();
  folder.write(name, bytes);
}

void atomic_write(const std::string& path, std::string_view text) {
  atomic_write(path, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace octet
