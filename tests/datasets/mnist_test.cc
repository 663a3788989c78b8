#include "datasets/mnist.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <set>
#include <span>
#include <string>

#include "base/error.h"
#include "base/rng.h"
#include "data/normalize.h"
#include "datasets/dataset_file.h"
#include "file/read_file.h"
#include "tests/datasets/temp_folder.h"
#include "tests/text.h"

namespace octet {
namespace {

using testing::has;
using testing::TempFolder;

constexpr const char* kFixtures = OCTET_SOURCE_DIR "/tests/data/fixtures/";

// The first 1,000 test images and labels, unpacked, as both splits of a dataset named `name`.
void write_as_dataset(const TempFolder& folder, const std::string& name) {
  for (const std::string kind : {"images-idx3", "labels-idx1"}) {
    const DatasetFile file =
        read_dataset_file(kFixtures + ("mnist-1000-" + kind + "-ubyte.gz"), "");
    folder.write(name + "/train-" + kind + "-ubyte", file.bytes);
    folder.write(name + "/t10k-" + kind + "-ubyte", file.bytes);
  }
}

std::string error_of(DatasetSplits (*load)(const std::string&, Splits, Checksums),
                     const std::string& root, Checksums checksums) {
  try {
    load(root, Splits::kAll, checksums);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST_CASE("mnist: reads the four files of a folder, with the normalization that keeps pixels") {
  const TempFolder folder;
  write_as_dataset(folder, "mnist");
  write_as_dataset(folder, "fashion_mnist");
  const DatasetSplits mnist = load_mnist(folder.path(), Splits::kAll, Checksums::kSkip);
  CHECK(mnist.train->size() == 1000);
  CHECK(mnist.test->image_shape() == Shape{28, 28, 1});
  CHECK(mnist.test->class_names()[3] == "3");
  CHECK(is_identity(input_table(mnist.normalization)));
  CHECK(input_qparams(mnist.normalization) == QParams{1.0f / 255.0f, 0});
  const DatasetSplits fashion = load_fashion_mnist(folder.path(), Splits::kAll, Checksums::kSkip);
  CHECK(fashion.train->sha256() == mnist.train->sha256());
  CHECK(fashion.train->class_names()[9] == "Ankle boot");
  CHECK(load_mnist(folder.path(), Splits::kTest, Checksums::kSkip).train == nullptr);
}

TEST_CASE("mnist: files that are whole but not the published ones are refused") {
  const TempFolder folder;
  write_as_dataset(folder, "mnist");
  const std::string error = error_of(load_mnist, folder.path(), Checksums::kVerify);
  CHECK(
      has(error, "mnist/train-images-idx3-ubyte is not the published file: its SHA-256 is de7c25"));
  CHECK(has(error, "datasets/fetch.sh mnist --root " + folder.path()));
}

TEST_CASE("mnist: a missing file is named, with the command that fetches it") {
  const TempFolder folder;
  write_as_dataset(folder, "mnist");
  std::filesystem::remove(folder.path() + "/mnist/t10k-labels-idx1-ubyte");
  const std::string error = error_of(load_mnist, folder.path(), Checksums::kSkip);
  CHECK(has(error, "mnist/t10k-labels-idx1-ubyte"));
  CHECK(has(error, "fetch it with: datasets/fetch.sh mnist"));
}

TEST_CASE("mnist_sample: the hash finds any flipped bit, of the packed and the unpacked file") {
  const std::string path = std::string(kFixtures) + "mnist-1000-labels-idx1-ubyte.gz";
  const DatasetFile good = read_dataset_file(path, "restore it");
  constexpr auto kSum = "832c0d20f0dc42e575488c75a83a970787d4c8d4d05831b2ef03701b4a478a90";
  CHECK_NOTHROW(verify_sha256(good, kSum));
  for (std::size_t at = 0; at < good.bytes.size(); ++at) {
    DatasetFile bad = good;
    bad.bytes[at] ^= std::byte{static_cast<unsigned char>(1u << (at % 8))};
    CHECK_THROWS_AS(verify_sha256(bad, kSum), Error);
  }

  // The header of the packed file (10 bytes) has fields that do not matter: those may pass.
  const TempFolder folder;
  const std::vector<std::byte> packed = read_file(path);
  for (std::size_t at = 10; at < packed.size(); ++at) {
    std::vector<std::byte> bad = packed;
    bad[at] ^= std::byte{static_cast<unsigned char>(1u << (at % 8))};
    CHECK_THROWS_AS(read_dataset_file(folder.write("bad.gz", bad), ""), Error);
  }
}

TEST_CASE("dataset_file: a packed file cut off anywhere, or with something behind it, is refused") {
  const TempFolder folder;
  const std::vector<std::byte> packed =
      read_file(std::string(kFixtures) + "mnist-1000-labels-idx1-ubyte.gz");
  for (std::size_t size = 0; size < packed.size(); ++size) {
    const std::string path = folder.write("cut.gz", std::span(packed).first(size));
    CHECK_THROWS_AS(read_dataset_file(path, ""), Error);
  }
  std::vector<std::byte> longer = packed;
  longer.push_back(std::byte{0});
  CHECK_THROWS_AS(read_dataset_file(folder.write("long.gz", longer), ""), Error);
  CHECK_NOTHROW(read_dataset_file(folder.write("good.gz", packed), ""));
}

TEST_CASE("dataset_file: a packed file that grows beyond every dataset is refused") {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::vector<Bytef> zeros(std::size_t{65} << 20), packed(1 << 20);
  stream.next_in = zeros.data();
  stream.avail_in = static_cast<uInt>(zeros.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  const auto bytes = std::as_bytes(std::span(packed));
  CHECK_THROWS_WITH_AS(parse_dataset_file("x.gz", {bytes.begin(), bytes.end()}, "fetch it"),
                       doctest::Contains("at most 67108864 bytes unpacked; fetch it"), Error);
}

TEST_CASE("mnist_sample: the digits are spread over the classes, and the hash is the known one") {
  const DatasetSplits splits = load_mnist_sample();
  int counts[10] = {};
  for (const auto& split : {splits.train, splits.test}) {
    for (std::int64_t i = 0; i < split->size(); ++i) ++counts[split->get(i).label];
  }
  const int expected[10] = {85, 126, 116, 107, 110, 87, 87, 99, 89, 94};
  for (int c = 0; c < 10; ++c) CHECK(counts[c] == expected[c]);
}

}  // namespace
}  // namespace octet
