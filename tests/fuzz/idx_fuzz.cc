// IDX arrays, plain or packed (the first byte chooses), and CIFAR-10's records.
#include "datasets/cifar10.h"
#include "datasets/idx.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  return fuzz::refuse_or_accept([&] {
    const char* name = choice % 2 == 0 ? "idx" : "idx.gz";
    const DatasetFile file =
        parse_dataset_file(name, fuzz::to_bytes(data + 1, size - 1), "fetch it");
    if (choice % 8 >= 6) {
      const auto dataset = parse_cifar10({file, file});
      fuzz::require(dataset->size() * 3073 == 2 * static_cast<std::int64_t>(file.bytes.size()),
                    "records are counted");
      for (std::int64_t i = 0; i < dataset->size(); ++i) {
        const auto label = static_cast<std::size_t>(dataset->get(i).label);
        fuzz::require(label < dataset->class_names().size(), "a label is one of the classes");
      }
      return;
    }
    const int rank = choice % 8 >= 4 ? 1 : 3;
    const IdxArray array = parse_idx(file, rank);
    const auto header = static_cast<std::int64_t>(4 + 4 * rank);
    fuzz::require(array.shape.numel() + header == static_cast<std::int64_t>(file.bytes.size()) &&
                      array.data.size() + static_cast<std::size_t>(header) == file.bytes.size(),
                  "an array has the size of its file");
    if (rank != 3) return;
    // A label for each image, which is there only if the images are few.
    DatasetFile labels{"labels", {}, "fetch it"};
    for (const int byte : {0, 0, 8, 1}) labels.bytes.push_back(static_cast<std::byte>(byte));
    for (int i = 4; i < 8; ++i) labels.bytes.push_back(file.bytes[static_cast<std::size_t>(i)]);
    labels.bytes.resize(labels.bytes.size() + static_cast<std::size_t>(array.shape[0]));
    const auto dataset = parse_idx_dataset(file, labels, {"only"});
    fuzz::require(dataset->size() == array.shape[0], "images are counted");
  });
}
