// PNG and JPEG: the first byte chooses the channels, and whether the checksums of a PNG are made
// right, without which no changed one would be decoded.
#include <zlib.h>

#include <algorithm>

#include "datasets/image_file.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

namespace {

std::vector<std::uint8_t> with_right_checksums(std::vector<std::uint8_t> png) {
  constexpr std::size_t kSignature = 8, kLengthAndType = 8, kChecksum = 4;
  const auto room = [&](std::size_t at) { return png.size() - std::min(at, png.size()); };
  for (std::size_t at = kSignature; room(at) >= kLengthAndType + kChecksum;) {
    const std::size_t length = std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 |
                               std::size_t{png[at + 2]} << 8 | std::size_t{png[at + 3]};
    if (room(at) - kLengthAndType - kChecksum < length) break;
    const auto sum = crc32(0, &png[at + 4], static_cast<uInt>(4 + length));
    at += kLengthAndType + length;
    for (const int shift : {24, 16, 8, 0}) png[at++] = static_cast<std::uint8_t>(sum >> shift);
  }
  return png;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr int kChannels[] = {0, 1, 3};
  const int channels = kChannels[data[0] % 3];
  std::vector<std::uint8_t> file(data + 1, data + size);
  if (data[0] % 2 == 0 && !file.empty() && file[0] == 0x89) file = with_right_checksums(file);
  return fuzz::refuse_or_accept([&] {
    const Image image = decode_image(std::as_bytes(std::span(file)), channels, "fuzz.png");
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
