// The committed integer LeNet (configs/lenet_qat.yaml, seed 1) must load and give these logits with
// every version, instruction set and batch size.
#include <doctest/doctest.h>

#include "base/cpu.h"
#include "data/in_memory.h"
#include "datasets/mnist.h"
#include "eval/evaluate_int8.h"
#include "ir/model_file.h"

namespace octet {

TEST_CASE("golden: the integer LeNet of format version 1 gives its pinned logits") {
  const ir::Graph graph = ir::read_model(OCTET_SOURCE_DIR "/tests/golden/lenet_int8.safetensors");
  const DatasetSplits sample = load_mnist_sample();
  for (const Isa isa : supported_isas()) {
    for (const std::int64_t batch : {1, 7, 64}) {
      CAPTURE(name_of(isa));
      CAPTURE(batch);
      const Measurement m =
          evaluate_int8(graph, *sample.test, {.batch = batch, .isa = isa, .latency_images = 0});
      CHECK(m.logits_sha256 == "2501625041fa406efc68e08f795f47f1613c49eba173a4c9c46da4abacf12a32");
      CHECK(m.correct == 199);
    }
  }
}

}  // namespace octet
