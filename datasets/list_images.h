#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace octet {

struct LabelledFile {
  std::string path;
  std::int32_t label = 0;
};

// Files that are not used, counted by reason.
class SkipList {
 public:
  void add(const std::string& reason, const std::filesystem::path& path);
  void add(const SkippedFiles& others);
  std::vector<SkippedFiles> take() const;  // the commonest reason first

 private:
  std::map<std::string, SkippedFiles> by_reason_;
};

// "skipped 8 files: 7 HEIC (convert them to PNG or JPEG) such as "train/b/0.HEIC", 1 hidden such as
// ..."; empty if there are none.
std::string to_text(const std::vector<SkippedFiles>& skipped);

// The class folders of a split, in the order of their bytes: the same everywhere. Throws Error that
// names the folder if it cannot be read, or a class whose name is not UTF-8, which no model file
// could hold.
std::vector<std::string> list_classes(const std::filesystem::path& split);

// All PNG and JPEG files (by extension) below the class folders of a split, however deep, in the
// order of torchvision's ImageFolder: class by class, folder by folder, name by name. Hidden files
// and folders are skipped, as are other files, and images that lie beside the class folders.
// Throws Error that names the folder if one is no class of `class_names` or holds no image.
std::vector<LabelledFile> list_images(const std::filesystem::path& split,
                                      const std::vector<std::string>& class_names,
                                      SkipList& skipped);

}  // namespace octet
