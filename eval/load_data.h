#pragma once

#include <filesystem>
#include <string>

#include "datasets/registry.h"
#include "qat/input.h"

namespace octet {

// The folder of Octet's own files (configs/, datasets/fetch.sh): $OCTET_HOME, which ./octet sets,
// or the source folder that the program was built from.
std::filesystem::path octet_home();

// Where datasets lie: `root` itself if it is absolute or exists, otherwise below octet_home(), so
// that ./octet finds its data from any folder.
std::filesystem::path data_root(const std::string& root);

// Loads a dataset (image_shape: data.image_shape); one that can be fetched and is not there yet is
// fetched first by datasets/fetch.sh, whose output goes to stderr. A file that is there but damaged
// is an Error with the remedy, and stays.
DatasetSplits load_or_fetch(const std::string& name, const std::string& root,
                            const Shape& image_shape);

// How this dataset's pixels become input codes.
qat::InputEncoding input_encoding(const Normalization& normalization);

}  // namespace octet
