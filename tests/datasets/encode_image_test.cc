// The implementation of encode_image.h: the one place that compiles stb_image_write.
#include "tests/datasets/encode_image.h"

#include <array>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace octet::testing {
namespace {

void append(void* context, void* data, int size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  auto* out = static_cast<std::vector<std::byte>*>(context);
  out->insert(out->end(), bytes, bytes + size);
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image) {
  const auto [h, w, c] =
      std::array{static_cast<int>(image.shape[0]), static_cast<int>(image.shape[1]),
                 static_cast<int>(image.shape[2])};
  std::vector<std::byte> out;
  stbi_write_png_to_func(append, &out, w, h, c, image.pixels.data(), w * c);
  return out;
}

std::vector<std::byte> encode_jpeg(const Image& image) {
  const auto [h, w, c] =
      std::array{static_cast<int>(image.shape[0]), static_cast<int>(image.shape[1]),
                 static_cast<int>(image.shape[2])};
  std::vector<std::byte> out;
  stbi_write_jpg_to_func(append, &out, w, h, c, image.pixels.data(), 95);
  return out;
}

}  // namespace octet::testing
