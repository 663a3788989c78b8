#pragma once

#include <doctest/doctest.h>
#include <octet/c_api.h>

#include <span>
#include <vector>

#include "ir/model_file.h"
#include "runtime/executor.h"
#include "tests/ir/graph_builder.h"

// Models for the tests of the deployment library, and what the engine inside makes of images.
namespace octet::testing {

// 8 floats, 3 classes without names.
inline ir::Graph float_graph() {
  GraphBuilder b(3);
  const ir::ValueId x = b.quantize("quantize", b.input({8}, {}, DType::kF32));
  b.logits("fc", b.linear("hidden", x, 5), 3);
  return b.graph;
}

inline std::vector<std::uint8_t> random_pixels(std::int64_t count) {
  return GraphBuilder(17).codes(count);
}

// The logits of `batch` images, by an executor of the inside.
template <class T>
std::vector<std::int32_t> logits_of(const ir::Graph& graph, const std::vector<T>& images,
                                    std::int64_t batch) {
  Executor executor(pack_model(graph, Isa::kScalar), {.max_batch = batch});
  std::vector<std::int32_t> logits(
      static_cast<std::size_t>(batch * graph.value(graph.output).shape.numel()));
  executor.run(std::span<const T>(images), batch, logits);
  return logits;
}

// A graph loaded through the C API.
class Handle {
 public:
  explicit Handle(const ir::Graph& graph) {
    const std::vector<std::byte> bytes = ir::serialize_model(graph);
    REQUIRE(octet_model_load_memory(bytes.data(), bytes.size(), &model_) == OCTET_OK);
  }
  ~Handle() { octet_model_free(model_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  const octet_model* get() const { return model_; }

 private:
  octet_model* model_ = nullptr;
};

}  // namespace octet::testing
