#pragma once

#include <string>
#include <vector>

#include "tests/datasets/encode_image.h"
#include "tests/programs/run_program.h"

// A data set of a user's own.
namespace octet::testing {

// A colour PNG of the given size: bars across for class "across", upright otherwise.
inline std::string bars(std::int64_t height, std::int64_t width, bool across) {
  Image image{{height, width, 3}, {}};
  for (std::int64_t i = 0; i < height * width; ++i) {
    const std::int64_t at = across ? i / width : i % width;
    for (const int colour : {255, 160, 40}) {
      image.pixels.push_back(static_cast<std::uint8_t>(at / 3 % 2 == 0 ? colour : 0));
    }
  }
  const std::vector<std::byte> bytes = encode_png(image);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Four images a class in photos/train and photos/test, of several sizes: bars across in `first`,
// upright in `second`.
inline void write_photos(const Workplace& work, const std::string& first,
                         const std::string& second) {
  for (const std::string split : {"train", "test"}) {
    for (const std::string& name : {first, second}) {
      const std::filesystem::path folder = work / ("photos/" + split + "/" + name);
      std::filesystem::create_directories(folder);
      for (int i = 0; i < 4; ++i) {
        write_text(folder / (std::to_string(i) + ".png"),
                   bars(24 + 3 * i, split == "test" ? 40 : 31, name == first));
      }
    }
  }
}

}  // namespace octet::testing
