#include "datasets/cifar10.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"
#include "data/in_memory.h"
#include "data/normalize.h"
#include "file/foreign_format.h"

namespace octet {
namespace {

constexpr std::size_t kPlane = 32 * 32, kImage = 3 * kPlane, kRecord = 1 + kImage;

// The same sums stand in fetch.sh.
struct Part {
  const char* name;
  const char* sha256;
};
constexpr Part kTrain[] = {
    {"data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
    {"data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
    {"data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
    {"data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
    {"data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"}};
constexpr Part kTest[] = {
    {"test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}};

const std::vector<std::string> kClasses = {"airplane", "automobile", "bird",  "cat",  "deer",
                                           "dog",      "frog",       "horse", "ship", "truck"};

// not fuzzed: the file system; parse_cifar10 is the reader
std::shared_ptr<const Dataset> load_split(const std::string& folder, std::span<const Part> parts,
                                          Checksums checksums, const std::string& remedy) {
  std::vector<DatasetFile> files;
  for (const Part& part : parts) {
    files.push_back(read_dataset_file(folder + "/" + part.name, remedy));
  }
  std::shared_ptr<const Dataset> dataset = parse_cifar10(files);
  if (checksums == Checksums::kVerify) {  // last: the messages above are more exact
    for (std::size_t i = 0; i < parts.size(); ++i) verify_sha256(files[i], parts[i].sha256);
  }
  return dataset;
}

}  // namespace

// not fuzzed: the file system; parse_cifar10 is the reader
DatasetSplits load_cifar10(const std::string& root, Splits splits, Checksums checksums) {
  const std::string folder = root + "/cifar10", remedy = fetch_remedy("cifar10", root);
  return {splits == Splits::kAll ? load_split(folder, kTrain, checksums, remedy) : nullptr,
          load_split(folder, kTest, checksums, remedy), centered_normalization(3)};
}

std::shared_ptr<const Dataset> parse_cifar10(const std::vector<DatasetFile>& files) {
  std::size_t images = 0;
  for (const DatasetFile& file : files) {
    const bool is_labelled =
        !file.bytes.empty() && static_cast<std::size_t>(file.bytes[0]) < kClasses.size();
    OCTET_CHECK(!file.bytes.empty() && file.bytes.size() % kRecord == 0, file.path, ": byte ",
                file.bytes.size(), ": expected the file to end after a whole record of ", kRecord,
                " bytes", is_labelled ? "" : foreign_hint(file.bytes), "; ", file.remedy);
    images += file.bytes.size() / kRecord;
  }

  std::vector<std::uint8_t> pixels(images * kImage);
  std::vector<std::int32_t> labels;
  for (const DatasetFile& file : files) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.bytes.data());
    const std::size_t count = file.bytes.size() / kRecord, first = labels.size();
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t label = bytes[i * kRecord];
      OCTET_CHECK(label < kClasses.size(), file.path, ": byte ", i * kRecord,
                  ": expected a label below ", kClasses.size(), ", got ", int{label}, "; ",
                  file.remedy);
      labels.push_back(label);
    }
    parallel_for(static_cast<std::int64_t>(count), [&](std::int64_t i) {
      const std::uint8_t* planes = bytes + static_cast<std::size_t>(i) * kRecord + 1;
      std::uint8_t* out = &pixels[(first + static_cast<std::size_t>(i)) * kImage];
      for (std::size_t p = 0; p < kPlane; ++p) {
        for (std::size_t c = 0; c < 3; ++c) out[p * 3 + c] = planes[c * kPlane + p];
      }
    });
  }
  return std::make_shared<InMemoryDataset>(Shape{32, 32, 3}, std::move(pixels), std::move(labels),
                                           kClasses);
}

}  // namespace octet
