#include "datasets/image_folder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "data/in_memory.h"
#include "data/normalize.h"
#include "datasets/image_file.h"
#include "datasets/list_images.h"
#include "file/printable.h"
#include "file/read_file.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxDatasetBytes = std::uint64_t{16} << 30;

Image read_image(const std::string& path, int channels) {
  return decode_image(read_file(path, kMaxImageFileBytes), channels, printable(path));
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

// Why files of the dataset cannot be used, all in one message: whoever mends one wants to know of
// the others.
void throw_errors(const std::vector<std::string>& errors) {
  if (errors.empty()) return;
  if (errors.size() == 1) throw Error(errors[0]);
  constexpr std::size_t kMost = 100;
  std::string text = message(errors.size(), " images cannot be used:");
  for (std::size_t i = 0; i < std::min(errors.size(), kMost); ++i) text += "\n  " + errors[i];
  if (errors.size() > kMost) text += message("\n  and ", errors.size() - kMost, " more");
  throw Error(text);
}

// Appends to `all_errors` what was wrong with single files; null if anything was.
std::shared_ptr<const Dataset> load_split(const std::vector<LabelledFile>& files,
                                          const std::vector<std::string>& class_names,
                                          const Shape& shape, bool convert,
                                          std::vector<std::string>& all_errors) {
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
  std::copy_if(errors.begin(), errors.end(), std::back_inserter(all_errors),
               [](const std::string& error) { return !error.empty(); });
  if (!all_errors.empty()) return nullptr;
  return std::make_shared<InMemoryDataset>(shape, std::move(pixels), std::move(labels),
                                           class_names);
}

// The shape of the first image that can be read; if none can, reading them all says why.
Shape first_shape(const std::vector<LabelledFile>& files) {
  for (const LabelledFile& file : files) {
    try {
      return read_image(file.path, 0).shape;
    } catch (const Error&) {
      continue;
    }
  }
  return {1, 1, 1};
}

}  // namespace

DatasetSplits load_image_folder(const std::string& root, const Shape& image_shape, Splits wanted) {
  const bool convert = image_shape.rank() != 0;
  if (convert && !(image_shape.rank() == 3 && image_shape[0] > 0 && image_shape[0] <= 16384 &&
                   image_shape[1] > 0 && image_shape[1] <= 16384 &&
                   (image_shape[2] == 1 || image_shape[2] == 3))) {
    throw UsageError(message("data.image_shape must be [H, W, 1] or [H, W, 3] with sides of at ",
                             "most 16384 pixels, got ", image_shape));
  }
  const fs::path folder(root);
  const std::vector<std::string> class_names = list_classes(folder / "train");
  SkipList skipped, unread;
  const std::vector<LabelledFile> train =
      list_images(folder / "train", class_names, wanted == Splits::kAll ? skipped : unread);
  const std::vector<LabelledFile> test = list_images(folder / "test", class_names, skipped);
  const Shape shape = convert ? image_shape : first_shape(train);

  DatasetSplits splits;
  std::vector<std::string> errors;
  if (wanted == Splits::kAll) {
    splits.train = load_split(train, class_names, shape, convert, errors);
  }
  splits.test = load_split(test, class_names, shape, convert, errors);
  throw_errors(errors);
  splits.normalization = centered_normalization(static_cast<int>(shape[2]));
  splits.skipped = skipped.take();
  return splits;
}

}  // namespace octet
