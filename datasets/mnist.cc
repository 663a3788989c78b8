#include "datasets/mnist.h"

#include <cstddef>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "data/in_memory.h"
#include "data/normalize.h"
#include "datasets/idx.h"

namespace octet {
namespace {

// One split: its two files and the SHA-256 of what is in them, unpacked. The same sums stand in
// fetch.sh.
struct Split {
  const char* images;
  const char* images_sha256;
  const char* labels;
  const char* labels_sha256;
};

constexpr Split kMnistTrain = {
    "train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"};
constexpr Split kMnistTest = {
    "t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"};
constexpr Split kFashionTrain = {
    "train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"};
constexpr Split kFashionTest = {
    "t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"};
constexpr Split kSample = {"mnist-1000-images-idx3-ubyte.gz",
                           "de7c252b04f05e1f8309634180ccdf286dc6dbac8c579b74e76e02ae0331ca52",
                           "mnist-1000-labels-idx1-ubyte.gz",
                           "832c0d20f0dc42e575488c75a83a970787d4c8d4d05831b2ef03701b4a478a90"};

const std::vector<std::string> kDigits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
const std::vector<std::string> kClothes = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                           "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                           "Bag",         "Ankle boot"};

std::shared_ptr<const Dataset> load_split(const std::string& folder, const Split& split,
                                          const std::vector<std::string>& class_names,
                                          Checksums checksums, const std::string& remedy) {
  const DatasetFile images = read_dataset_file(folder + "/" + split.images, remedy);
  const DatasetFile labels = read_dataset_file(folder + "/" + split.labels, remedy);
  std::shared_ptr<const Dataset> dataset = parse_idx_dataset(images, labels, class_names);
  if (checksums == Checksums::kVerify) {  // last: the messages above are more exact
    verify_sha256(images, split.images_sha256);
    verify_sha256(labels, split.labels_sha256);
  }
  return dataset;
}

}  // namespace

DatasetSplits load_mnist(const std::string& root, Splits splits, Checksums checksums) {
  const std::string folder = root + "/mnist", remedy = fetch_remedy("mnist", root);
  return {splits == Splits::kAll ? load_split(folder, kMnistTrain, kDigits, checksums, remedy)
                                 : nullptr,
          load_split(folder, kMnistTest, kDigits, checksums, remedy), unit_normalization(1)};
}

DatasetSplits load_fashion_mnist(const std::string& root, Splits splits, Checksums checksums) {
  const std::string folder = root + "/fashion_mnist", remedy = fetch_remedy("fashion_mnist", root);
  return {splits == Splits::kAll ? load_split(folder, kFashionTrain, kClothes, checksums, remedy)
                                 : nullptr,
          load_split(folder, kFashionTest, kClothes, checksums, remedy), unit_normalization(1)};
}

DatasetSplits load_mnist_sample() {
  const auto all = load_split(OCTET_SOURCE_DIR "/tests/data/fixtures", kSample, kDigits,
                              Checksums::kVerify, "restore it from the repository");
  std::vector<std::int64_t> train(800), test(200);
  std::iota(train.begin(), train.end(), 0);
  std::iota(test.begin(), test.end(), 800);
  return {std::make_shared<Subset>(all, std::move(train)),
          std::make_shared<Subset>(all, std::move(test)), unit_normalization(1)};
}

}  // namespace octet
