#include "datasets/image_folder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "data/in_memory.h"
#include "data/normalize.h"
#include "datasets/image_file.h"
#include "file/printable.h"
#include "file/read_file.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMaxDatasetBytes = std::uint64_t{16} << 30;

struct LabelledFile {
  std::string path;
  std::int32_t label = 0;
};

// Names in a folder that are not hidden, in alphabetical order of their bytes: the same everywhere.
std::vector<std::string> list(const fs::path& folder, bool (*wanted)(const fs::directory_entry&)) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name[0] != '.' && wanted(*it)) names.push_back(name);
  }
  OCTET_CHECK(
      !error, "cannot read the folder \"", printable(folder.string()), "\": ", error.message(),
      "; an image_folder dataset is <root>/train/<class>/*.png or *.jpg, ", "and <root>/test/...");
  std::sort(names.begin(), names.end());
  return names;
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_directory(ignored);
}

bool is_image(const fs::directory_entry& entry) {
  std::string extension = entry.path().extension().string();
  for (char& c : extension) c = to_lower(c);
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::vector<LabelledFile> list_split(const fs::path& folder,
                                     const std::vector<std::string>& class_names) {
  std::vector<LabelledFile> files;
  for (const std::string& name : list(folder, is_folder)) {
    const auto found = std::lower_bound(class_names.begin(), class_names.end(), name);
    const fs::path class_folder = folder / name;
    OCTET_CHECK(found != class_names.end() && *found == name, "\"",
                printable(class_folder.string()), "\": there is no such class in train");
    const std::size_t before = files.size();
    for (const std::string& file : list(class_folder, is_image)) {
      files.push_back(
          {(class_folder / file).string(), static_cast<std::int32_t>(found - class_names.begin())});
    }
    OCTET_CHECK(files.size() > before, "\"", printable(class_folder.string()),
                "\" holds no .png, .jpg or .jpeg");
  }
  OCTET_CHECK(!files.empty(), "\"", printable(folder.string()),
              "\" holds no folder per class with images");
  return files;
}

Image read_image(const std::string& path, int channels) {
  return decode_image(read_file(path, kMaxFileBytes), channels, printable(path));
}

// The image at the shape of the dataset, brought to it if `convert`. Throws Error if it has
// another.
Image read_at_shape(const std::string& path, const Shape& shape, bool convert) {
  if (!convert) {
    Image image = read_image(path, 0);
    OCTET_CHECK(image.shape == shape, printable(path), ": expected shape ", shape,
                ", as the first image of train has, got ", image.shape,
                "; data.image_shape converts all images to one shape");
    return image;
  }
  Image image = read_image(path, static_cast<int>(shape[2]));
  return image.shape == shape ? image : resize(image, shape[0], shape[1]);
}

std::shared_ptr<const Dataset> load_split(const std::vector<LabelledFile>& files,
                                          const std::vector<std::string>& class_names,
                                          const Shape& shape, bool convert) {
  const auto numel = static_cast<std::size_t>(shape.numel());
  OCTET_CHECK(files.size() <= kMaxDatasetBytes / numel, "[image_folder] ", files.size(),
              " images of shape ", shape, " need more than ", kMaxDatasetBytes, " bytes");
  std::vector<std::uint8_t> pixels(files.size() * numel);
  std::vector<std::int32_t> labels;
  for (const LabelledFile& file : files) labels.push_back(file.label);

  std::vector<std::string> errors(files.size());  // nothing may be thrown out of parallel_for
  parallel_for(static_cast<std::int64_t>(files.size()), [&](std::int64_t n) {
    const auto i = static_cast<std::size_t>(n);
    try {
      const Image image = read_at_shape(files[i].path, shape, convert);
      std::copy(image.pixels.begin(), image.pixels.end(),
                pixels.begin() + static_cast<std::ptrdiff_t>(i * numel));
    } catch (const std::exception& e) {
      errors[i] = e.what();
    }
  });
  for (const std::string& error : errors) {
    if (!error.empty()) throw Error(error);
  }
  return std::make_shared<InMemoryDataset>(shape, std::move(pixels), std::move(labels),
                                           class_names);
}

}  // namespace

DatasetSplits load_image_folder(const std::string& root, const Shape& image_shape, Splits splits) {
  const bool convert = image_shape.rank() != 0;
  if (convert && !(image_shape.rank() == 3 && image_shape[0] > 0 && image_shape[0] <= 16384 &&
                   image_shape[1] > 0 && image_shape[1] <= 16384 &&
                   (image_shape[2] == 1 || image_shape[2] == 3))) {
    throw UsageError(message("data.image_shape must be [H, W, 1] or [H, W, 3] with sides of at ",
                             "most 16384 pixels, got ", image_shape));
  }
  const fs::path folder(root);
  const std::vector<std::string> class_names = list(folder / "train", is_folder);
  const std::vector<LabelledFile> train = list_split(folder / "train", class_names);
  const std::vector<LabelledFile> test = list_split(folder / "test", class_names);
  const Shape shape = convert ? image_shape : read_image(train[0].path, 0).shape;
  return {splits == Splits::kAll ? load_split(train, class_names, shape, convert) : nullptr,
          load_split(test, class_names, shape, convert),
          centered_normalization(static_cast<int>(shape[2]))};
}

}  // namespace octet
