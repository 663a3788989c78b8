// Image files on the command line: classes with names, or an error that names the file.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "datasets/image_file.h"
#include "datasets/mnist.h"
#include "tests/datasets/encode_image.h"
#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

const std::string kLenet = OCTET_SOURCE_DIR "/tests/golden/lenet_int8.safetensors ";

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The first images of the sample's test set as 0.png, 1.png, ...
std::vector<Image> write_digits(const Workplace& work, int count) {
  const DatasetSplits sample = load_mnist_sample();
  std::vector<Image> images;
  for (int i = 0; i < count; ++i) {
    const Sample digit = sample.test->get(i);
    images.push_back({{28, 28, 1}, {digit.pixels.begin(), digit.pixels.end()}});
    write_text(work / (std::to_string(i) + ".png"), text_of(encode_png(images.back())));
  }
  return images;
}

Image in_colour(const Image& grey) {
  Image image{{grey.shape[0], grey.shape[1], 3}, {}};
  for (const std::uint8_t p : grey.pixels) image.pixels.insert(image.pixels.end(), {p, p, p});
  return image;
}

void check_refused(const Workplace& work, const std::string& arguments, int exit_code,
                   const std::string& message) {
  CAPTURE(arguments);
  const Outcome outcome = work.run("eval_ " + kLenet + arguments);
  CAPTURE(outcome.err);
  CHECK(outcome.exit_code == exit_code);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.rfind("error: ", 0) == 0);
  CHECK(outcome.err.find(message) != std::string::npos);
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("eval classifies image files, whatever batch and threads") {
  const Workplace work;
  const std::vector<Image> digits = write_digits(work, 5);
  const DatasetSplits sample = load_mnist_sample();
  const Outcome one = work.run("eval_ " + kLenet + "--int8 0.png --top 1");
  CAPTURE(one.err);
  REQUIRE(one.exit_code == 0);
  CHECK(one.out.rfind("0.png  " + std::to_string(sample.test->get(0).label) + " ", 0) == 0);

  const std::string five = "eval_ " + kLenet + "0.png 1.png 2.png 3.png 4.png --json ";
  const Outcome all = work.run(five);
  CAPTURE(all.err);
  REQUIRE(all.exit_code == 0);
  const auto json = nlohmann::json::parse(all.out);
  REQUIRE(json.size() == 5);
  for (int i = 0; i < 5; ++i) {
    const auto& image = json[static_cast<std::size_t>(i)];
    CHECK(image.at("image") == std::to_string(i) + ".png");
    REQUIRE(image.at("best").size() == 3);
    CHECK(image["best"][0].at("class") == std::to_string(sample.test->get(i).label));
    CHECK(image["best"][0].at("probability") > image["best"][1].at("probability"));
  }
  CHECK(work.run(five + "--batch 2 --threads 2").out == all.out);
  CHECK(work.run(five + "--batch 1 --isa scalar").out == all.out);
  CHECK(nlohmann::json::parse(work.run("eval_ " + kLenet + "0.png --json --top 99").out)[0]["best"]
            .size() == 10);
}

TEST_CASE("eval converts an image of another size or other colours only when it is asked to") {
  const Workplace work;
  const Image digit = write_digits(work, 1)[0];
  const std::string label = std::to_string(load_mnist_sample().test->get(0).label);
  write_text(work / "large.png", text_of(encode_png(resize(in_colour(digit), 90, 70))));
  write_text(work / "colour.png", text_of(encode_png(in_colour(digit))));
  check_refused(work, "large.png", 1,
                "\"large.png\": the model takes images of 28 x 28 pixels in grey, this one has 70 "
                "x 90 pixels in colour; --resize");
  check_refused(work, "0.png colour.png", 1, "\"colour.png\": ");
  const Outcome large = work.run("eval_ " + kLenet + "large.png --resize");
  CAPTURE(large.err);
  CHECK(large.exit_code == 0);
  CHECK(large.out.rfind("large.png  " + label + " ", 0) == 0);
  // Nothing is done to an image that fits.
  CHECK(work.run("eval_ " + kLenet + "0.png --resize").out ==
        work.run("eval_ " + kLenet + "0.png").out);
}

TEST_CASE("eval refuses files that are no images, and options that belong elsewhere") {
  const Workplace work;
  write_digits(work, 1);
  const std::string png = read_text(work / "0.png");
  write_text(work / "cut.png", png.substr(0, png.size() / 2));
  write_text(work / "text.png", "not an image");
  write_text(work / "empty.jpg", "");
  write_text(work / "cat.bmp", "BM");
  check_refused(work, "none.png", 1, "none.png");
  check_refused(work, "0.png cut.png", 1, "cut.png");
  check_refused(work, "text.png", 1, "\"text.png\": this is not a PNG or JPEG image");
  check_refused(work, "empty.jpg", 1, "empty.jpg");
  check_refused(work, "cat.bmp", 1, "\"cat.bmp\": this is a BMP image; convert it to PNG or JPEG");
  check_refused(work, "0.png photo", 2, "images end in .png, .jpg or .jpeg");
  check_refused(work, "0.png --describe", 2, "--int8");
  check_refused(work, "0.png --top 0", 2, "--top");
  check_refused(work, "0.png --require-top1 3", 2, "--require-top1");
  check_refused(work, "0.png --images 3", 2, "--images");
  check_refused(work, "--resize", 2, "--resize needs image files");
}

TEST_SUITE_END();

}  // namespace octet::testing
