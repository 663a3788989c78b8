#include "datasets/image_file.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "tests/datasets/encode_image.h"

namespace octet {
namespace {

Image random_image(const Shape& shape) {
  Rng rng(5, RngPurpose::kTest);
  Image image{shape, {}};
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
  }
  return image;
}

TEST_CASE("image_file: a PNG gives its pixels back, in its own or in the channels asked for") {
  for (const Shape& shape : {Shape{5, 7, 1}, Shape{4, 3, 3}}) {
    const Image image = random_image(shape);
    const Image decoded = decode_image(testing::encode_png(image), 0, "x.png");
    CHECK(decoded.shape == shape);
    CHECK(decoded.pixels == image.pixels);
  }
  const Image grey = random_image({2, 2, 1});
  const Image as_rgb = decode_image(testing::encode_png(grey), 3, "x.png");
  CHECK(as_rgb.shape == Shape{2, 2, 3});
  for (std::size_t i = 0; i < 12; ++i) CHECK(as_rgb.pixels[i] == grey.pixels[i / 3]);
}

TEST_CASE("image_file: transparency is dropped") {
  const Image rgba{{1, 2, 4}, {1, 2, 3, 0, 4, 5, 6, 255}};
  const Image decoded = decode_image(testing::encode_png(rgba), 0, "x.png");
  CHECK(decoded.shape == Shape{1, 2, 3});
  CHECK(decoded.pixels == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
  const Image grey_alpha{{1, 2, 2}, {9, 0, 8, 255}};
  CHECK(decode_image(testing::encode_png(grey_alpha), 0, "x.png").pixels ==
        std::vector<std::uint8_t>{9, 8});
}

TEST_CASE("image_file: a JPEG is decoded, near the pixels it was made of") {
  Image smooth{{16, 24, 3}, {}};
  for (int i = 0; i < 16 * 24 * 3; ++i) {
    smooth.pixels.push_back(static_cast<std::uint8_t>(80 + i / 16));
  }
  const Image decoded = decode_image(testing::encode_jpeg(smooth), 0, "x.jpg");
  CHECK(decoded.shape == smooth.shape);
  for (std::size_t i = 0; i < smooth.pixels.size(); ++i) {
    CHECK(std::abs(int{decoded.pixels[i]} - int{smooth.pixels[i]}) < 8);
  }
}

TEST_CASE("image_file: what is not an image is an error with the file's name") {
  const auto decode = [](const std::string& text) {
    return decode_image(std::as_bytes(std::span(text)), 0, "photos/x.png");
  };
  CHECK_THROWS_WITH_AS(decode(""), doctest::Contains("photos/x.png"), Error);
  CHECK_THROWS_AS(decode("hello"), Error);
  CHECK_THROWS_AS(decode(std::string("GIF89a\1\0\1\0\0\0\0;", 14)), Error);  // not compiled in
}

TEST_CASE("image_file: a PNG cut off or damaged at any byte gives an image or an error, no more") {
  const Image image = random_image({6, 5, 3});
  const std::vector<std::byte> png = testing::encode_png(image);
  const std::vector<std::byte> jpeg = testing::encode_jpeg(image);
  int errors = 0;
  for (const auto& good : {png, jpeg}) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int bit = -1; bit < 8; ++bit) {  // -1: cut off
        std::vector<std::byte> bad = good;
        if (bit < 0) {
          bad.resize(at);
        } else {
          bad[at] ^= std::byte{static_cast<unsigned char>(1 << bit)};
        }
        try {
          const Image decoded = decode_image(bad, 0, "x");
          CHECK(static_cast<std::int64_t>(decoded.pixels.size()) == decoded.shape.numel());
        } catch (const Error&) {
          ++errors;
        }
      }
    }
  }
  CHECK(errors > 1000);
}

TEST_CASE("image_file: a JPEG with too many codes in a Huffman table is refused, anywhere") {
  const std::vector<std::byte> good = testing::encode_jpeg(random_image({6, 5, 3}));
  const auto refused = [](const std::vector<std::byte>& bytes) {
    try {
      decode_image(bytes, 0, "x");
    } catch (const Error& e) {
      return std::string(e.what()).find("more than 256 codes") != std::string::npos;
    }
    return false;
  };
  const auto segment = [](int marker, int index, int per_length) {  // 16 * per_length codes
    std::vector<std::byte> bytes(4 + 1 + 16 + 16, std::byte{1});
    bytes[0] = std::byte{0xff};
    bytes[1] = static_cast<std::byte>(marker);
    bytes[2] = std::byte{0};
    bytes[3] = std::byte{2 + 1 + 16 + 16};
    bytes[4] = static_cast<std::byte>(index);
    std::fill_n(bytes.begin() + 5, 16, static_cast<std::byte>(per_length));
    return bytes;
  };
  const auto with = [&](std::size_t at, const std::vector<std::byte>& piece) {
    std::vector<std::byte> bytes = good;
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), piece.begin(), piece.end());
    return bytes;
  };
  CHECK_FALSE(refused(good));
  int tables = 0;
  for (std::size_t at = 2; at + 1 < good.size(); ++at) {
    if (good[at] != std::byte{0xff} || good[at + 1] != std::byte{0xc4}) continue;
    ++tables;
    CHECK(refused(with(at, segment(0xc4, 0x00, 17))));
    CHECK(refused(with(at, segment(0xc4, 0x13, 255))));
    CHECK_FALSE(refused(with(at, segment(0xc4, 0x20, 255))));  // no such class: refused by itself
  }
  CHECK(tables > 0);
  CHECK(refused(with(2, segment(0xc4, 0x00, 17))));
  CHECK(refused(with(good.size() - 2, segment(0xc4, 0x00, 17))));

  // In a comment or application data at the start such bytes mean nothing.
  const std::vector<std::byte> tables_inside = segment(0xc4, 0x00, 17);
  std::vector<std::byte> comment = {std::byte{0xff}, std::byte{0xfe}, std::byte{0}};
  comment.push_back(static_cast<std::byte>(2 + tables_inside.size()));
  comment.insert(comment.end(), tables_inside.begin(), tables_inside.end());
  CHECK(decode_image(with(2, comment), 0, "x").pixels == decode_image(good, 0, "x").pixels);
}

TEST_CASE("image_file: too large a size is refused from the header alone") {
  std::vector<std::byte> png = testing::encode_png(random_image({2, 2, 1}));
  const auto set_size = [&](std::uint32_t width, std::uint32_t height) {  // bytes 16 ... 23
    for (std::size_t i = 0; i < 4; ++i) {
      png[16 + i] = static_cast<std::byte>(width >> (24 - 8 * i));
      png[20 + i] = static_cast<std::byte>(height >> (24 - 8 * i));
    }
  };
  set_size(16385, 1);
  CHECK_THROWS_WITH_AS(decode_image(png, 0, "x"), doctest::Contains("16384"), Error);
  set_size(10000, 10000);
  CHECK_THROWS_WITH_AS(decode_image(png, 0, "x"), doctest::Contains("10000 x 10000"), Error);
}

TEST_CASE("image_file: a PNG whose chunks are longer than the file is refused") {
  const std::vector<std::byte> png = testing::encode_png(random_image({2, 2, 1}));
  std::vector<std::byte> bad = png;
  bad[33] = std::byte{0x2e};  // the length of the image data, behind signature and first chunk
  CHECK_THROWS_WITH_AS(decode_image(bad, 0, "x"), "x: the image is damaged: it ends within a chunk",
                       Error);
  bad = png;
  bad.insert(bad.end(), {std::byte{1}, std::byte{2}});  // behind the end anything may stand
  CHECK(decode_image(bad, 0, "x").pixels == decode_image(png, 0, "x").pixels);
}

TEST_CASE("image_file: more pixels than the file can hold are refused before memory is taken") {
  std::vector<std::byte> png = testing::encode_png(random_image({2, 2, 1}));
  for (const std::size_t at : {18, 22}) png[at] = std::byte{0x1f};  // 7938 x 7938
  CHECK_THROWS_WITH_AS(decode_image(png, 0, "x"), doctest::Contains("cannot hold 7938 x 7938"),
                       Error);
  std::vector<std::byte> jpeg = testing::encode_jpeg(random_image({2, 2, 1}));
  for (std::size_t i = 0; i + 9 < jpeg.size(); ++i) {
    if (jpeg[i] != std::byte{0xff} || jpeg[i + 1] != std::byte{0xc0}) continue;
    jpeg[i + 5] = jpeg[i + 7] = std::byte{0x1f};  // the frame's height and width
  }
  CHECK_THROWS_WITH_AS(decode_image(jpeg, 0, "x"), doctest::Contains("cannot hold 7938 x 7938"),
                       Error);
  // The fewest bytes that an encoder makes of so many pixels are enough.
  const Image black{{2000, 2000, 1}, std::vector<std::uint8_t>(4000000)};
  CHECK(decode_image(testing::encode_png(black), 0, "x").shape == black.shape);
  CHECK(decode_image(testing::encode_jpeg(black), 1, "x").shape == black.shape);
}

TEST_CASE("resize: to the same size is exact, constants stay, halves are averages") {
  const Image image = random_image({5, 4, 3});
  CHECK(resize(image, 5, 4).pixels == image.pixels);
  const Image constant{{3, 5, 1}, std::vector<std::uint8_t>(15, 77)};
  for (const auto& [h, w] : {std::pair{7, 2}, std::pair{1, 1}, std::pair{50, 3}}) {
    const Image out = resize(constant, h, w);
    CHECK(out.shape == Shape{h, w, 1});
    CHECK(out.pixels == std::vector<std::uint8_t>(static_cast<std::size_t>(h * w), 77));
  }
  // doubling 0 100: weights 1, 3/4, 1/4 around the half-way points
  const Image ramp{{1, 2, 1}, {0, 100}};
  CHECK(resize(ramp, 1, 4).pixels == std::vector<std::uint8_t>{0, 25, 75, 100});
  // halving four pixels: support 2, weights 3/7, 3/7, 1/7 at each end
  const Image four{{1, 4, 1}, {0, 70, 140, 210}};
  CHECK(resize(four, 1, 2).pixels == std::vector<std::uint8_t>{50, 160});
}

}  // namespace
}  // namespace octet
