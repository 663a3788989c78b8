#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "datasets/registry.h"
#include "io/config.h"
#include "qat/input.h"

namespace octet {

// The folder of Octet's own files (configs/, datasets/fetch.sh): $OCTET_HOME, which ./octet sets,
// or the source folder that the program was built from.
std::filesystem::path octet_home();

// Where datasets lie: `root` itself if it is absolute or exists, otherwise below octet_home(), so
// that ./octet finds its data from any folder.
std::filesystem::path data_root(const std::string& root);

// Loads the dataset that `data` names; one that can be fetched and is not there yet is fetched
// first by datasets/fetch.sh, whose output goes to stderr. A file that is there but damaged is an
// Error with the remedy, and stays. Its normalization is that of data.mean and data.std where they
// are given. Throws UsageError that names the key if these do not fit the dataset's channels.
DatasetSplits load_or_fetch(const DataConfig& data, Splits splits = Splits::kAll);

// `count` images of a test set, as `eval --images` takes them; all of them if there are no more. An
// image_folder lies in memory class by class, so its images are taken evenly: number
// floor(i * size / count) for each i. Of every other dataset they are the first `count`, which the
// published hashes are of.
std::shared_ptr<const Dataset> some_images(std::shared_ptr<const Dataset> images,
                                           const std::string& dataset, std::int64_t count);

// data.mean and data.std for images of so many channels, or `otherwise` where neither is given.
Normalization chosen_normalization(const DataConfig& data, std::int64_t channels,
                                   const Normalization& otherwise);

// How this dataset's pixels become input codes.
qat::InputEncoding input_encoding(const Normalization& normalization);

}  // namespace octet
