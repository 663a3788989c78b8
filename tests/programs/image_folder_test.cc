// Images of one's own: files of several sizes, one folder per class, become a model of integers.
#include <doctest/doctest.h>

#include <string>

#include "tests/programs/photos.h"

namespace octet::testing {
namespace {

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

  // Half of the images: two of each class, although the classes lie one behind the other.
  const Outcome some = work.run("eval_ run --int8 --images 4 --threads 1 --json");
  CHECK(some.exit_code == 0);
  CHECK(some.out.find("\"images\": 4") != std::string::npos);
  CHECK(some.err.find("4 of the 8 test images, spread evenly") != std::string::npos);

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
