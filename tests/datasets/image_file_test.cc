#include "datasets/image_file.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
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

std::string refusal(std::span<const std::byte> bytes) {
  try {
    decode_image(bytes, 0, "photos/x.png");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

std::string refusal(std::string_view text) { return refusal(std::as_bytes(std::span(text))); }

// Puts the right checksum behind the chunk that begins at `at`.
void seal(std::vector<std::byte>& png, std::size_t at) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i)
    length = length << 8 | std::to_integer<std::size_t>(png[at + i]);
  const auto sum = crc32_z(0, reinterpret_cast<const Bytef*>(png.data() + at + 4), 4 + length);
  for (std::size_t i = 0; i < 4; ++i) {
    png[at + 8 + length + i] = static_cast<std::byte>(sum >> (24 - 8 * i));
  }
}

// A PNG's size, in its first chunk.
void set_size(std::vector<std::byte>& png, std::uint32_t width, std::uint32_t height) {
  for (std::size_t i = 0; i < 4; ++i) {
    png[16 + i] = static_cast<std::byte>(width >> (24 - 8 * i));
    png[20 + i] = static_cast<std::byte>(height >> (24 - 8 * i));
  }
  seal(png, 8);
}

// Where the payload of the first segment with this marker begins.
std::size_t payload_of(const std::vector<std::byte>& jpeg, int marker) {
  for (std::size_t i = 2; i + 4 < jpeg.size(); ++i) {
    if (jpeg[i] == std::byte{0xff} && jpeg[i + 1] == static_cast<std::byte>(marker)) return i + 4;
  }
  return 0;
}

TEST_CASE("image_file: what is not an image is an error that says what it is") {
  using namespace std::string_view_literals;
  struct Case {
    std::string_view bytes;
    const char* expected;
  };
  const Case cases[] = {
      {""sv, "empty file"},
      {"\0\0\0\0"sv, "nothing but zeros"},
      {"hello"sv, "not a PNG or JPEG"},
      {"\0\0\0\x18"
       "ftypheic\0\0\0\0mif1"sv,
       "HEIC image; convert it"},
      {"\0\0\0\x1c"
       "ftypmif1\0\0\0\0avif"sv,
       "HEIC image; convert it"},
      {"\0\0\0\x20"
       "ftypavif\0\0\0\0"sv,
       "AVIF image; convert it"},
      {"\0\0\0\x18"
       "ftypmp42\0\0\0\0"sv,
       "a video"},
      {"RIFF\x24\0\0\0WEBPVP8 "sv, "WebP image; convert it"},
      {"GIF89a\1\0\1\0\0\0\0;"sv, "GIF image; convert it"},
      {"BM\x46\0\0\0\0\0\0\0"sv, "BMP image; convert it"},
      {"II*\0\x08\0\0\0"sv, "TIFF image"},
      {"MM\0*\0\0\0\x08"sv, "TIFF image"},
      {"%PDF-1.7\n"sv, "PDF document"},
      {"\0\0\0\x0cjP  \r\n\x87\n"sv, "JPEG 2000 image; convert it"},
      {"\xff\x0a\x7f"sv, "JPEG XL image; convert it"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"sv,
       "git lfs pull"},
      {"\n<!DOCTYPE html><html>"sv, "HTML page"},
      {"<html lang=en>"sv, "HTML page"},
      {"<svg xmlns=''>"sv, "SVG drawing"},
      {"P6\n2 2\n255\n"sv, "PPM image; convert it"},
      {"\x89PNG\n\x1a\n\0"sv, "text mode"},
      {"\x89PN"sv, "cut off after 3 bytes"},
      {"\x89PNG\r\n\x1a\n"sv, "cut off"},
      {"\xff\xd8"sv, "cut off"},
      {"\xff\xd8\xff\xd9"sv, "holds no picture"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.expected);
    const std::string text = refusal(c.bytes);
    CAPTURE(text);
    CHECK(text.rfind("photos/x.png: ", 0) == 0);
    CHECK(text.find(c.expected) != std::string::npos);
  }
}

TEST_CASE("image_file: a JPEG that the decoder does not have is refused with the true reason") {
  const std::vector<std::byte> good = testing::encode_jpeg(random_image({9, 9, 3}));
  const std::size_t frame = payload_of(good, 0xc0);
  const auto with = [&](std::size_t at, int value) {
    std::vector<std::byte> bytes = good;
    bytes[at] = static_cast<std::byte>(value);
    return refusal(bytes);
  };
  CHECK(refusal(good) == "");
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(with(frame - 3, 0xc3), "a lossless JPEG, which is not read");
  has(with(frame - 3, 0xc5), "a hierarchical JPEG, which is not read");
  has(with(frame - 3, 0xc9), "a JPEG with arithmetic coding, which is not read");
  has(with(frame - 3, 0xca), "a JPEG with arithmetic coding, which is not read");
  has(with(frame - 3, 0xf7), "JPEG-LS");
  has(with(frame, 12), "a 12-bit JPEG, which is not read");
  has(with(frame + 5, 2), "a JPEG of 2 components");
  std::vector<std::byte> uneven = good;
  uneven[frame + 7] = std::byte{0x31};   // three samples of the first component beside two of
  uneven[frame + 10] = std::byte{0x21};  // the second
  has(refusal(uneven), "sampling factors of 2 x 1 beside 3 x 1, which is not read");
  std::vector<std::byte> no_height = good;
  no_height[frame + 1] = no_height[frame + 2] = std::byte{0};
  has(refusal(no_height), "height follows its pixels");
}

TEST_CASE("image_file: a PNG cut off or with any bit changed is refused, so is a cut-off JPEG") {
  const Image image = random_image({6, 5, 3});
  const std::vector<std::byte> png = testing::encode_png(image);
  for (std::size_t at = 0; at < png.size(); ++at) {
    CAPTURE(at);
    CHECK(refusal(std::span(png).first(at)) != "");
    for (int bit = 0; bit < 8; ++bit) {
      std::vector<std::byte> bad = png;
      bad[at] ^= static_cast<std::byte>(1 << bit);
      CHECK(refusal(bad) != "");
    }
  }
  const std::vector<std::byte> jpeg = testing::encode_jpeg(image);
  for (std::size_t at = 0; at < jpeg.size(); ++at) {
    CAPTURE(at);
    CHECK(refusal(std::span(jpeg).first(at)) != "");
    for (int bit = 0; bit < 8; ++bit) {  // has no checksums
      std::vector<std::byte> bad = jpeg;
      bad[at] ^= static_cast<std::byte>(1 << bit);
      try {
        const Image decoded = decode_image(bad, 0, "x");
        CHECK(static_cast<std::int64_t>(decoded.pixels.size()) == decoded.shape.numel());
      } catch (const Error&) {
      }
    }
  }
  std::vector<std::byte> bad = png;
  bad[bad.size() - 20] ^= std::byte{1};  // in the pixels' checksum
  CHECK(refusal(bad).find("the checksum of its chunk at byte 33 is wrong") != std::string::npos);
}

TEST_CASE("image_file: what would take more than 128 MiB is refused from the header alone") {
  // RGBA of 16 bits takes 16 bytes a pixel: of 4000 x 2090, just under the bound, or 4000 x 2110.
  // The pixels are missing, which is found out later.
  std::vector<std::byte> png =
      testing::encode_png(Image{{512, 512, 4}, std::vector<std::uint8_t>(1 << 20)});
  png.insert(png.end(), 1 << 20, std::byte{0});  // enough bytes for so many pixels
  png[24] = std::byte{16};
  set_size(png, 4000, 2090);
  CHECK(refusal(png).find("damaged and cannot be decoded") != std::string::npos);
  set_size(png, 4000, 2110);
  CHECK(refusal(png) ==
        "photos/x.png: 4000 x 2110 pixels of this kind would take 129 MiB to decode, at most 128 "
        "MiB are used; make the image smaller");

  // A progressive JPEG takes 12 bytes a pixel, and more only in proportion to the file.
  std::vector<std::byte> jpeg = testing::encode_jpeg(random_image({9, 9, 3}));
  const std::size_t frame = payload_of(jpeg, 0xc0);
  jpeg[frame - 3] = std::byte{0xc2};
  const auto set = [&](int height, int width) {
    jpeg[frame + 1] = static_cast<std::byte>(height >> 8);
    jpeg[frame + 2] = static_cast<std::byte>(height);
    jpeg[frame + 3] = static_cast<std::byte>(width >> 8);
    jpeg[frame + 4] = static_cast<std::byte>(width);
  };
  set(4096, 4096);
  jpeg.insert(jpeg.end(), 1 << 20, std::byte{0});
  CHECK(refusal(jpeg).find("would take 192 MiB to decode, at most 128") != std::string::npos);
  jpeg.insert(jpeg.end(), 2 << 20, std::byte{0});
  CHECK(refusal(jpeg).find("would take") == std::string::npos);
}

TEST_CASE("image_file: pixels that unpack to more than their PNG's size says are refused") {
  // 1 x 1 pixels, and compressed data that would be 96 MiB of zeros.
  std::vector<std::byte> png = testing::encode_png(random_image({1, 1, 1}));
  std::vector<std::byte> packed;
  z_stream z = {};
  REQUIRE(deflateInit(&z, 9) == Z_OK);
  const std::vector<Bytef> zeros(1 << 20);
  std::vector<Bytef> room(1 << 16);
  for (int i = 0; i <= 96; ++i) {
    z.next_in = const_cast<Bytef*>(zeros.data());
    z.avail_in = i < 96 ? static_cast<uInt>(zeros.size()) : 0;
    do {
      z.next_out = room.data();
      z.avail_out = static_cast<uInt>(room.size());
      deflate(&z, i < 96 ? Z_NO_FLUSH : Z_FINISH);
      const auto* bytes = reinterpret_cast<const std::byte*>(room.data());
      packed.insert(packed.end(), bytes, bytes + (room.size() - z.avail_out));
    } while (z.avail_out == 0);
  }
  deflateEnd(&z);
  std::vector<std::byte> bomb(png.begin(), png.begin() + 33);
  for (int shift = 24; shift >= 0; shift -= 8) {
    bomb.push_back(static_cast<std::byte>(packed.size() >> shift));
  }
  for (const char c : {'I', 'D', 'A', 'T'}) bomb.push_back(static_cast<std::byte>(c));
  bomb.insert(bomb.end(), packed.begin(), packed.end());
  bomb.insert(bomb.end(), 4, std::byte{0});
  seal(bomb, 33);
  bomb.insert(bomb.end(), png.end() - 12, png.end());
  CHECK(refusal(bomb) ==
        "photos/x.png: the image is damaged: its pixels take more than 129 MiB to decode");
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
  set_size(png, 16385, 1);
  CHECK_THROWS_WITH_AS(decode_image(png, 0, "x"), doctest::Contains("16384"), Error);
  set_size(png, 10000, 10000);
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
  set_size(png, 7938, 7938);
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
