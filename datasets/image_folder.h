#pragma once

#include <string>

#include "base/shape.h"
#include "data/dataset.h"

namespace octet {

// Images of your own: <root>/train/<class>/*.png or *.jpg (*.jpeg), and <root>/test/<class>/...
// The classes are the folders of train in alphabetical order; test may have fewer, never others.
// Folders below a class are searched too, in torchvision's order. Other files and hidden ones are
// passed over, and counted in DatasetSplits::skipped.
//   image_shape: [H, W, C], C = 1 or 3: every image is converted to that (data.image_shape). Rank
//   0: the first image decides, and all must have its size and channels.
// All images are decoded into memory; pixels are the codes of the integer model.
// Throws Error that names the folder at fault, or all files that cannot be used.
DatasetSplits load_image_folder(const std::string& root, const Shape& image_shape = {},
                                Splits splits = Splits::kAll);

}  // namespace octet
