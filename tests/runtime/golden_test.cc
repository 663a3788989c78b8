#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "file/sha256.h"
#include "ir/model_file.h"
#include "runtime/executor.h"
#include "tests/runtime/reference.h"

namespace octet {

TEST_SUITE_BEGIN("runtime");

// Model files of every released format version must still load and give these logits, on every
// machine. The files are testing::small_graph() as that version wrote it.
TEST_CASE("golden: model files of each format version load and give their logits") {
  struct Case {
    const char* file;
    const char* logits_sha256;  // on 10 images from Rng(1, kTest)
  };
  const std::vector<Case> cases = {
      {"every_op_v1.safetensors",
       "393a21431cec50e6e9d12a1a52d6a1113ec6ece7bea27c5a6c946598abcff3a5"},
  };
  for (const Case& c : cases) {
    CAPTURE(std::string(c.file));
    const ir::Graph graph =
        ir::read_model(std::string(OCTET_SOURCE_DIR) + "/tests/golden/" + c.file);
    Rng rng(1, RngPurpose::kTest);
    const std::int64_t size = graph.value(graph.input).shape.numel();
    std::vector<std::uint8_t> images(static_cast<std::size_t>(10 * size));
    for (std::uint8_t& p : images) p = static_cast<std::uint8_t>(rng.below(256));

    testing::Reference reference(graph);
    std::vector<std::int32_t> expected;
    for (std::int64_t i = 0; i < 10; ++i) {
      reference.run(
          std::vector<std::uint8_t>(images.begin() + i * size, images.begin() + (i + 1) * size));
      expected.insert(expected.end(), reference.logits().begin(), reference.logits().end());
    }
    CHECK(sha256_hex(std::as_bytes(std::span(expected))) == c.logits_sha256);
    for (const Isa isa : supported_isas()) {
      std::vector<std::int32_t> logits(expected.size());
      Executor(pack_model(graph, isa), {.max_batch = 10}).run(images, 10, logits);
      CHECK(logits == expected);
    }
  }
}

TEST_SUITE_END();

}  // namespace octet
