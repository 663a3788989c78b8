// Folders of images: the input says which files lie where. Of each file its place and kind, two
// bytes of length, and the bytes; or, where the kind says so, a picture that is right.
#include <algorithm>
#include <iterator>

#include "datasets/image_folder.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

namespace {

constexpr const char* kFolders[] = {"train/a",    "train/b",     "test/a", "test/b",
                                    "test/c",     "train/a/sub", "train",  "test/.hidden",
                                    "train/\xe4", "test/\xe4",   "other",  "train/a/sub/deep"};
constexpr const char* kEndings[] = {".png", ".jpg", ".JPEG", ".txt", ".png.tmp", ""};

// One pixel, grey.
constexpr std::uint8_t kPicture[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x00, 0x00,
    0x00, 0x3a, 0x7e, 0x9b, 0x55, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44, 0x41, 0x54, 0x78,
    0x9c, 0x63, 0x68, 0x00, 0x00, 0x00, 0x82, 0x00, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0x00,
    0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};

const Shape kShapes[] = {{}, {}, {1, 1, 1}, {3, 4, 3}, {2, 9, 1}, {0, 1, 3}, {1, 1}, {5, 5, 2}};

void check(const Dataset& dataset, const Shape& shape) {
  fuzz::require(dataset.size() > 0 && !dataset.class_names().empty(), "there are images");
  fuzz::require(shape.rank() == 0 || dataset.image_shape() == shape, "images have the shape");
  for (std::int64_t i = 0; i < dataset.size(); ++i) {
    const Sample sample = dataset.get(i);
    fuzz::require(
        sample.label >= 0 && static_cast<std::size_t>(sample.label) < dataset.class_names().size(),
        "a label is one of the classes");
    fuzz::require(static_cast<std::int64_t>(sample.pixels.size()) == dataset.image_shape().numel(),
                  "an image has the pixels of its shape");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kMaxFiles = 16;
  constexpr std::size_t kHead = 4;
  if (size == 0) return 0;
  const Shape& shape = kShapes[data[0] % std::size(kShapes)];
  const Splits splits = data[0] / std::size(kShapes) % 2 == 0 ? Splits::kAll : Splits::kTest;
  const std::filesystem::path root = fuzz::empty_folder();
  ++data, --size;
  for (int i = 0; i < kMaxFiles && size >= kHead; ++i) {
    const std::string name = kFolders[data[0] % std::size(kFolders)] + std::string("/") +
                             (data[1] & 1 ? "." : "") + std::to_string(i) +
                             kEndings[(data[1] >> 1) % std::size(kEndings)];
    const bool is_right = data[2] >= 128;
    const std::size_t length =
        is_right ? 0 : std::min<std::size_t>(data[2] * 256u + data[3], size - kHead);
    const std::span<const std::uint8_t> bytes(data + kHead, length);
    fuzz::write_bytes(root / name, is_right ? std::span<const std::uint8_t>(kPicture) : bytes);
    data += kHead + length, size -= kHead + length;
  }
  return fuzz::refuse_or_accept([&] {
    const DatasetSplits loaded = load_image_folder(root.string(), shape, splits);
    fuzz::require((loaded.train != nullptr) == (splits == Splits::kAll), "what was asked for");
    if (loaded.train) check(*loaded.train, shape);
    check(*loaded.test, shape);
  });
}
