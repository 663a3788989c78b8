// PNG and JPEG: the first byte chooses the channels.
#include "datasets/image_file.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr int kChannels[] = {0, 1, 3};
  const int channels = kChannels[data[0] % 3];
  return fuzz::refuse_or_accept([&] {
    const Image image =
        decode_image(std::as_bytes(std::span(data + 1, size - 1)), channels, "fuzz.png");
    fuzz::require(image.shape.rank() == 3 && image.shape.numel() > 0 &&
                      image.shape.numel() == static_cast<std::int64_t>(image.pixels.size()) &&
                      (image.shape[2] == 1 || image.shape[2] == 3),
                  "an image has the pixels of its shape");
    if (image.shape.numel() > 1 << 16) return;
    fuzz::must_not_throw([&] {
      const Image small = resize(image, 5, 9);
      fuzz::require(small.pixels.size() == static_cast<std::size_t>(45 * image.shape[2]),
                    "resized");
    });
  });
}
