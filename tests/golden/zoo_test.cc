// The models of models/zoo must load and give these logits with every version, instruction set and
// batch size. CIFAR-10 is not at hand here: the images are random, the hash is of this test.
#include <doctest/doctest.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/rng.h"
#include "data/in_memory.h"
#include "eval/evaluate_int8.h"
#include "ir/model_file.h"

namespace octet {
namespace {

InMemoryDataset random_images(std::int64_t count, const Shape& image_shape) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * image_shape.numel()));
  Rng rng(1, RngPurpose::kTest);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(rng.next());
  std::vector<std::int32_t> labels(static_cast<std::size_t>(count));
  return {image_shape, std::move(pixels), std::move(labels), std::vector<std::string>(10, "class")};
}

}  // namespace

TEST_CASE("golden: the zoo's ResNet-20 gives its pinned logits") {
  const ir::Graph graph =
      ir::read_model(OCTET_SOURCE_DIR "/models/zoo/resnet20_cifar10_int8.safetensors");
  const InMemoryDataset images = random_images(9, {32, 32, 3});
  for (const Isa isa : supported_isas()) {
    for (const std::int64_t batch : {1, 9}) {
      CAPTURE(name_of(isa));
      CAPTURE(batch);
      const Measurement m =
          evaluate_int8(graph, images, {.batch = batch, .isa = isa, .latency_images = 0});
      CHECK(m.logits_sha256 == "b0a74bfb82dd0c2381d9e4347b381a431f2974d0e4a63fdd2f9413884f4f9559");
    }
  }
}

TEST_CASE("golden: the zoo's ResNet-50 gives its pinned logits") {
  const ir::Graph graph =
      ir::read_model(OCTET_SOURCE_DIR "/models/zoo/resnet50_cifar10_int8.safetensors");
  const InMemoryDataset images = random_images(2, {32, 32, 3});
  for (const Isa isa : supported_isas()) {
    CAPTURE(name_of(isa));
    const Measurement m =
        evaluate_int8(graph, images, {.batch = 2, .isa = isa, .latency_images = 0});
    CHECK(m.logits_sha256 == "03b8fdb4dcbcd73dda8dc67083b4c5d1f9a9b660940875ddbba6c2b2d9d1d3d1");
  }
}

}  // namespace octet
