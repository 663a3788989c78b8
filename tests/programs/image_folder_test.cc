// Images of one's own: files of several sizes, one folder per class, become a model of integers.
#include <doctest/doctest.h>

#include <string>

#include "tests/datasets/encode_image.h"
#include "tests/programs/run_program.h"

namespace octet::testing {
namespace {

// A colour PNG of the given size: bars across for class "across", upright otherwise.
std::string bars(std::int64_t height, std::int64_t width, bool across) {
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

void write_photos(const Workplace& work, const std::string& first, const std::string& second) {
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

std::string hash_in(const std::string& text) {
  const std::size_t at = text.find("logits_sha256 ");
  REQUIRE(at != std::string::npos);
  return text.substr(at, 14 + 64);
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("image_folder: calibrated, converted, verified, and the model file alone is enough") {
  const Workplace work;
  write_photos(work, "across", "upright");
  const std::string train =
      "train --config " OCTET_SOURCE_DIR
      "/configs/lenet.yaml --threads 1 --set train.epochs=0 --set quantize.method=ptq "
      "--set data.name=image_folder --set data.root=photos ";

  // Sizes differ: without a shape to convert to, that is an error which names the key.
  const Outcome refused = work.run(train + "--out refused");
  CHECK(refused.exit_code == 1);
  CHECK(refused.err.find("data.image_shape") != std::string::npos);

  const Outcome trained = work.run(train + "--out run --set 'data.image_shape=[28, 28, 1]'");
  CAPTURE(trained.err);
  REQUIRE(trained.exit_code == 0);

  const Outcome verified = work.run("eval_ run --verify --threads 1");
  CAPTURE(verified.err);
  CHECK(verified.exit_code == 0);
  CHECK(verified.out.rfind("8 images, ", 0) == 0);
  CHECK(verified.out.find(": 0 differ") != std::string::npos);

  const Outcome int8 = work.run("eval_ run --int8 --threads 1");
  REQUIRE(int8.exit_code == 0);
  const Outcome file_alone = work.run(
      "mv run/model_int8.safetensors . && eval_ model_int8.safetensors --data photos --threads 1");
  CAPTURE(file_alone.err);
  REQUIRE(file_alone.exit_code == 0);
  CHECK(hash_in(file_alone.out) == hash_in(int8.out));

  // Other classes than those the model learned: a figure would be one by chance.
  std::filesystem::remove_all(work / "photos");
  write_photos(work, "across", "slanted");
  const Outcome others = work.run("eval_ model_int8.safetensors --data photos --threads 1");
  CHECK(others.exit_code == 1);
  CHECK(others.err.find("classes") != std::string::npos);
  CHECK(others.out.empty());
}

TEST_SUITE_END();

}  // namespace octet::testing
