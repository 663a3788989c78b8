#include "datasets/list_images.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/text.h"
#include "file/printable.h"
#include "file/utf8.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDepth = 64;  // of folders below a class

std::string quoted(const fs::path& path) { return "\"" + printable(path.string()) + "\""; }

// What a folder holds, each by name in the order of its bytes; nothing that is hidden.
struct Listing {
  std::vector<std::string> folders, files, hidden;
};

Listing list(const fs::path& folder) {
  Listing listing;
  std::error_code error, ignored;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const bool hidden = name[0] == '.', is_folder = it->is_directory(ignored);
    (hidden ? listing.hidden : is_folder ? listing.folders : listing.files).push_back(name);
  }
  OCTET_CHECK(!error, "cannot read the folder ", quoted(folder), ": ", error.message(),
              "; an image_folder dataset is <root>/train/<class>/*.png or *.jpg, ",
              "and <root>/test/...");
  for (auto* names : {&listing.folders, &listing.files, &listing.hidden}) {
    std::sort(names->begin(), names->end());
  }
  return listing;
}

std::string extension_of(const std::string& name) {
  std::string extension = fs::path(name).extension().string();
  for (char& c : extension) c = to_lower(c);
  return extension;
}

bool is_image(const std::string& name) {
  const std::string extension = extension_of(name);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

// Why a file that is no PNG or JPEG is left out.
std::string reason_of(const std::string& name) {
  struct Kind {
    std::string_view extension, name;
  };
  constexpr Kind kImages[] = {
      {".heic", "HEIC"},   {".heif", "HEIC"}, {".avif", "AVIF"},       {".webp", "WebP"},
      {".gif", "GIF"},     {".bmp", "BMP"},   {".tif", "TIFF"},        {".tiff", "TIFF"},
      {".ppm", "PPM"},     {".pgm", "PGM"},   {".pnm", "PNM"},         {".jp2", "JPEG 2000"},
      {".jxl", "JPEG XL"}, {".svg", "SVG"},   {".psd", "PSD"},         {".jfif", "JFIF"},
      {".jpe", "JPE"},     {".dng", "raw"},   {".cr2", "raw"},         {".cr3", "raw"},
      {".nef", "raw"},     {".arw", "raw"},   {".npy", "NumPy array"},
  };
  const std::string extension = extension_of(name);
  for (const Kind& kind : kImages) {
    if (extension != kind.extension) continue;
    return extension == ".jfif" || extension == ".jpe"
               ? message(kind.name, " (rename them to .jpg)")
               : message(kind.name, " (convert them to PNG or JPEG)");
  }
  return "of other kinds";
}

// Everything below one class folder.
class ClassFolder {
 public:
  explicit ClassFolder(SkipList& skipped) : skipped_(skipped) {}

  std::vector<std::string> paths(const fs::path& folder) {
    descend(folder);
    // torchvision sorts the folders by their whole paths.
    std::stable_sort(folders_.begin(), folders_.end(),
                     [](const Images& a, const Images& b) { return a.folder < b.folder; });
    std::vector<std::string> all;
    for (Images& images : folders_) {
      std::move(images.paths.begin(), images.paths.end(), std::back_inserter(all));
    }
    return all;
  }

 private:
  struct Images {
    std::string folder;
    std::vector<std::string> paths;
  };

  void descend(const fs::path& folder) {
    std::error_code ignored;
    const fs::path identity = fs::canonical(folder, ignored);
    if (std::find(above_.begin(), above_.end(), identity) != above_.end()) {
      skipped_.add("links to a folder above them", folder);
      return;
    }
    OCTET_CHECK(above_.size() < kMaxDepth, quoted(folder), " lies more than ", kMaxDepth,
                " folders deep");
    above_.push_back(identity);
    const Listing listing = list(folder);
    for (const std::string& name : listing.hidden) skipped_.add("hidden", folder / name);
    Images images{folder.string(), {}};
    for (const std::string& name : listing.files) {
      if (is_image(name)) {
        images.paths.push_back((folder / name).string());
      } else {
        skipped_.add(reason_of(name), folder / name);
      }
    }
    folders_.push_back(std::move(images));
    for (const std::string& name : listing.folders) descend(folder / name);
    above_.pop_back();
  }

  SkipList& skipped_;
  std::vector<fs::path> above_;
  std::vector<Images> folders_;
};

}  // namespace

void SkipList::add(const std::string& reason, const fs::path& path) {
  add({reason, 1, path.string()});
}

void SkipList::add(const SkippedFiles& others) {
  SkippedFiles& files = by_reason_[others.reason];
  if (files.count == 0) files.example = others.example;
  files.reason = others.reason;
  files.count += others.count;
}

std::vector<SkippedFiles> SkipList::take() const {
  std::vector<SkippedFiles> all;
  for (const auto& [reason, files] : by_reason_) all.push_back(files);
  std::stable_sort(all.begin(), all.end(),
                   [](const SkippedFiles& a, const SkippedFiles& b) { return a.count > b.count; });
  return all;
}

std::string to_text(const std::vector<SkippedFiles>& skipped) {
  std::int64_t count = 0;
  std::string reasons;
  for (const SkippedFiles& files : skipped) {
    count += files.count;
    reasons += message(reasons.empty() ? "" : ", ", files.count, " ", files.reason, " such as ",
                       quoted(files.example));
  }
  return count == 0 ? "" : message("skipped ", count, count == 1 ? " file: " : " files: ", reasons);
}

std::vector<std::string> list_classes(const fs::path& split) {
  std::vector<std::string> names = list(split).folders;
  for (const std::string& name : names) {
    OCTET_CHECK(is_utf8(name), "the name of the class folder ", quoted(split / name),
                " is not UTF-8 text, and a model file could not hold it; rename the folder");
  }
  return names;
}

std::vector<LabelledFile> list_images(const fs::path& split,
                                      const std::vector<std::string>& class_names,
                                      SkipList& skipped) {
  const Listing listing = list(split);
  for (const std::string& name : listing.hidden) skipped.add("hidden", split / name);
  for (const std::string& name : listing.files) {
    skipped.add(is_image(name) ? "in no class folder" : reason_of(name), split / name);
  }
  std::vector<LabelledFile> files;
  for (const std::string& name : listing.folders) {
    const auto found = std::lower_bound(class_names.begin(), class_names.end(), name);
    OCTET_CHECK(found != class_names.end() && *found == name, quoted(split / name),
                ": there is no such class in train");
    SkipList others;
    const std::vector<std::string> paths = ClassFolder(others).paths(split / name);
    const std::string why = to_text(others.take());
    OCTET_CHECK(!paths.empty(), quoted(split / name), " holds no .png, .jpg or .jpeg",
                why.empty() ? "" : "; ", why);
    for (const std::string& path : paths) {
      files.push_back({path, static_cast<std::int32_t>(found - class_names.begin())});
    }
    for (const SkippedFiles& other : others.take()) skipped.add(other);
  }
  OCTET_CHECK(!files.empty(), quoted(split), " holds no folder per class with images");
  return files;
}

}  // namespace octet
